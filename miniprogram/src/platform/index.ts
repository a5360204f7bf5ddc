import { browser } from "./browser";
import type { Platform } from "./types";
import { weixin } from "./weixin";

export { AGREE_BUTTON } from "./types";
export type { Consents, Platform, Privacy } from "./types";
export const platform: Platform = process.env.UNI_PLATFORM === "mp-weixin" ? weixin : browser;
