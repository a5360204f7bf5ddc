/** The shop's name and phone, known from the last time until the server says otherwise. */
import { reactive } from "vue";
import { api } from "@/api";
import { store, stored } from "@/api/storage";
import type { Shop } from "@/api/types";

const KEY = "shop";
const known = reactive<Shop>(knownBefore());

function knownBefore(): Shop {
  const { name, phone } = stored<Partial<Shop>>(KEY) ?? {};
  return { name: typeof name === "string" ? name : "", phone: typeof phone === "string" ? phone : "" };
}

export const shop = {
  known,
  /** Never fails: without an answer the last one stays. */
  async load(): Promise<void> {
    try {
      Object.assign(known, await api.shop());
      store(KEY, { ...known });
    } catch {
      // The pages show what they know.
    }
  },
};
