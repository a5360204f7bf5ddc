/** What is known of the buyer's account: the phone that is bound, masked, as kept here until the server has said it. */
import { reactive } from "vue";
import { api } from "@/api";
import * as sessions from "@/api/session";
import { buyersOwn, store, stored } from "@/api/storage";
import { maskPhone } from "@/domain/mobile";
import { DAY_MS } from "@/domain/instants";

const PHONE = buyersOwn("phone");
const LATER = buyersOwn("bind-later");
/** Who doesn't want to bind a phone isn't offered it again for so long. */
const LATER_MS = 30 * DAY_MS;

const state = () => ({
  /** As 138****1234; empty where none is known. */
  phone: text(stored(PHONE)),
  /** Whether the server wants the phone verified again before it shows the orders under it. */
  verifyAgain: false,
  /** Whether the server has said so much: before, nothing is offered that may not be wanted. */
  asked: false,
  /** Unix milliseconds until which it isn't offered. */
  quietUntil: Number(stored(LATER)) || 0,
});

const known = reactive(state());

sessions.watch(() => Object.assign(known, state()));

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function keepPhone(masked: string): string {
  store(PHONE, masked);
  known.phone = masked;
  known.verifyAgain = false;
  known.asked = true;
  return masked;
}

export const account = {
  known,

  /** Never fails: without an answer what is kept stands. */
  async load(): Promise<void> {
    const whose = sessions.whose();
    try {
      const me = await api.me();
      if (sessions.whose() !== whose) return;
      keepPhone(me.phone ?? "");
      known.verifyAgain = me.verify_again;
    } catch {
      // The page shows what it knows.
    }
  },

  /** Throw ApiError; the masked phone is kept. */
  async signIn(phone: string, smsCode: string): Promise<string> {
    await api.signInByPhone(phone, smsCode);
    return keepPhone(maskPhone(phone));
  },
  async bind(given: { code: string } | { phone: string; sms_code: string }): Promise<string> {
    return keepPhone((await api.bindPhone(given)).phone);
  },

  /** Whether to offer the binding of a phone: quietly, and not to who has just declined. */
  offersBinding(): boolean {
    return known.asked && (!known.phone || known.verifyAgain) && Date.now() >= known.quietUntil;
  },
  bindLater(): void {
    known.quietUntil = Date.now() + LATER_MS;
    store(LATER, known.quietUntil);
  },
};
