/** What WeChat can do and a browser can't, or does otherwise. Pages ask `platform` and never for its name. */
import type { ConfirmComponent } from "@/api/types";

/** What the buyer answered for each template, in WeChat's own words; empty where the dialog didn't come up. */
export type Consents = Record<string, string>;

/** What the platform says of its guide to privacy: whether the buyer must still agree to it, and its name. */
export interface Privacy {
  needed: boolean;
  guide: string;
}

/** The id of the button by which the buyer agrees; the platform checks that it was tapped. */
export const AGREE_BUTTON = "agree-privacy";

export interface Platform {
  /** A code that names the buyer to the server, without asking him; null where there is none (a browser). */
  loginCode(): Promise<string | null>;
  /** Whether `loginCode` gives one, so that nobody is asked to sign in. */
  readonly signsInSilently: boolean;
  /** The `type` of an input for a phone that also takes what is pasted, where a keyboard of digits can't hold a "+". */
  readonly phoneInput: "tel" | "text";
  /** Whether WeChat's own components exist here: its confirmation, its logistics page, its contact and share buttons. */
  readonly hasComponents: boolean;
  /** Whether the phone button of WeChat exists here. */
  readonly hasPhoneButton: boolean;
  /** Must be called straight from a tap. Never throws: refused, switched off and failed are an empty answer or words. */
  askConsents(templateIds: string[]): Promise<Consents>;
  readonly canAskConsents: boolean;
  /** Open WeChat's own confirmation; `done` only where WeChat says so. */
  confirmReceipt(component: ConfirmComponent): Promise<"done" | "cancelled" | "unavailable">;
  readonly canScan: boolean;
  /** The text of a bar or QR code; null where it was given up. */
  scan(): Promise<string | null>;
  /** Open WeChat's logistics page; false where that can't be. */
  openWaybill(token: string): Promise<boolean>;
  online(): Promise<boolean>;
  /** Never fails: without such a guide nothing is needed. */
  privacy(): Promise<Privacy>;
  /** Show the platform's own guide; false where there is none. */
  openPrivacyGuide(): Promise<boolean>;
  /** `ask` is called where something personal is wanted before the buyer agreed; true after a tap on AGREE_BUTTON. */
  onPrivacyNeeded(ask: () => Promise<boolean>): void;
}
