/** The program starts, and shows words, whatever the phone's storage holds or does. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { storage } from "../../tests/uni";

beforeEach(() => void vi.resetModules());
afterEach(() => void vi.restoreAllMocks());

async function start() {
  const { settings } = await import("./settings");
  const { shop } = await import("./shop");
  const { buyer } = await import("./buyer");
  const { words } = await import("@/i18n");
  return { settings, shop, buyer, words };
}

it.each([undefined, null, 7, "x", [], {}, { language: "fr", largeText: "yes", name: 5, phone: null }])(
  "with %j in it",
  async (nonsense) => {
    for (const key of ["settings", "shop", "buyer:session"]) storage.set(key, nonsense);
    const { settings, shop, buyer, words } = await start();
    expect({ ...settings }).toEqual({ language: "zh", largeText: false });
    expect({ ...shop.known }).toEqual({ name: "", phone: "" });
    expect(buyer.signedIn).toBe(false);
    expect(words.value.common.retry).toBe("重试");
  },
);

it("with a storage that does nothing but fail", async () => {
  for (const name of [
    "getStorageSync",
    "setStorageSync",
    "removeStorageSync",
    "getStorageInfoSync",
  ] as const) {
    vi.spyOn(uni, name).mockImplementation(() => {
      throw new Error("broken");
    });
  }
  const { settings, words } = await start();
  settings.language = "en";
  await Promise.resolve();
  expect(words.value.common.retry).toBe("Try again");
});

it("as the buyer chose it, and with the shop as it was known", async () => {
  storage.set("settings", { language: "en", largeText: true });
  storage.set("shop", { name: "冻品小店", phone: "400" });
  const { settings, shop } = await start();
  expect({ ...settings }).toEqual({ language: "en", largeText: true });
  expect(shop.known.name).toBe("冻品小店");
});
