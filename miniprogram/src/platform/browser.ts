import type { Platform } from "./types";

export const browser: Platform = {
  loginCode: () => Promise.resolve(null),
  signsInSilently: false,
  phoneInput: "tel",
  hasComponents: false,
  hasPhoneButton: false,
  canAskConsents: false,
  askConsents: () => Promise.resolve({}),
  confirmReceipt: () => Promise.resolve("unavailable"),
  canScan: false,
  scan: () => Promise.resolve(null),
  openWaybill: () => Promise.resolve(false),
  online: () => Promise.resolve(typeof navigator === "undefined" || navigator.onLine),
  privacy: () => Promise.resolve({ needed: false, guide: "" }),
  openPrivacyGuide: () => Promise.resolve(false),
  onPrivacyNeeded: () => undefined,
};
