import type { ConfirmComponent } from "@/api/types";
import { AGREE_BUTTON, type Consents, type Platform } from "./types";

/** How the program came to the front: from another program, with what that one hands over. */
interface Shown {
  referrerInfo?: { appId?: string; extraData?: { status?: string } };
}

/** Calls that older versions of WeChat lack, and that the types of `uni` don't know. */
interface WeixinCalls {
  openBusinessView?(asked: {
    businessType: string;
    extraData: Record<string, string>;
    success(): void;
    fail(): void;
  }): void;
  onAppShow(shown: (how: Shown) => void): void;
  offAppShow(shown: (how: Shown) => void): void;
  getPrivacySetting?(asked: {
    success(answer: { needAuthorization: boolean; privacyContractName: string }): void;
    fail(): void;
  }): void;
  openPrivacyContract?(asked: { success(): void; fail(): void }): void;
  onNeedPrivacyAuthorization?(
    ask: (answer: (given: { event: "agree"; buttonId: string } | { event: "disagree" }) => void) => void,
  ): void;
}

declare const wx: WeixinCalls;
declare function requirePlugin(name: "logisticsPlugin"): {
  openWaybillTracking(parcel: { waybillToken: string }): void;
};

/** WeChat's own program that confirms a receipt. */
const CONFIRMER = "wx1183b055aeec94d1";
/** A dialog with more templates than this is refused as a whole. */
const TEMPLATES_AT_ONCE = 3;

type Confirmed = Awaited<ReturnType<Platform["confirmReceipt"]>>;
const CONFIRMED: Record<string, Confirmed> = { success: "done", cancel: "cancelled", fail: "unavailable" };

/** The answer comes when we are shown again, by the program that was open: who comes back another way gave none. */
function confirmReceipt({ business_type, extra_data }: ConfirmComponent): Promise<Confirmed> {
  return new Promise((answered) => {
    if (!wx.openBusinessView) return answered("unavailable");
    const shown = ({ referrerInfo }: Shown) => {
      wx.offAppShow(shown);
      const told = referrerInfo?.appId === CONFIRMER ? referrerInfo.extraData?.status : "cancel";
      answered(CONFIRMED[told ?? "cancel"] ?? "unavailable");
    };
    wx.onAppShow(shown);
    wx.openBusinessView({
      businessType: business_type,
      extraData: extra_data,
      success: () => undefined,
      fail: () => {
        wx.offAppShow(shown);
        answered("unavailable");
      },
    });
  });
}

/** WeChat wants this in the tap's own turn: nothing may be awaited before it. */
function askConsents(templateIds: string[]): Promise<Consents> {
  const asked = [...new Set(templateIds)].slice(0, TEMPLATES_AT_ONCE);
  if (!asked.length) return Promise.resolve({});
  return new Promise((answered) =>
    uni.requestSubscribeMessage({
      tmplIds: asked,
      success: (result) => answered(wordsFor(asked, result as unknown as Record<string, unknown>)),
      fail: () => answered({}),
    }),
  );
}

function wordsFor(templateIds: string[], result: Record<string, unknown>): Consents {
  const said = templateIds.map((id) => [id, result[id]] as const);
  return Object.fromEntries(said.filter((one): one is [string, string] => typeof one[1] === "string"));
}

/** The plugin exists only in a build that declares it; without it this falls away as the program is built. */
function openWaybill(waybillToken: string): Promise<boolean> {
  if (!import.meta.env.VITE_LOGISTICS_PLUGIN || !waybillToken) return Promise.resolve(false);
  try {
    requirePlugin("logisticsPlugin").openWaybillTracking({ waybillToken });
    return Promise.resolve(true);
  } catch {
    return Promise.resolve(false);
  }
}

export const weixin: Platform = {
  loginCode: () =>
    new Promise((answered) =>
      uni.login({ success: ({ code }) => answered(code), fail: () => answered(null) }),
    ),
  signsInSilently: true,
  phoneInput: "text",
  hasComponents: true,
  hasPhoneButton: true,
  canAskConsents: true,
  askConsents,
  confirmReceipt,
  canScan: true,
  scan: () =>
    new Promise((answered) =>
      uni.scanCode({
        scanType: ["barCode", "qrCode"],
        success: ({ result }) => answered(result),
        fail: () => answered(null),
      }),
    ),
  openWaybill,
  online: () =>
    new Promise((answered) =>
      uni.getNetworkType({
        success: ({ networkType }) => answered(networkType !== "none"),
        fail: () => answered(true),
      }),
    ),
  privacy: () =>
    new Promise((answered) => {
      const nothing = { needed: false, guide: "" };
      if (!wx.getPrivacySetting) return answered(nothing);
      wx.getPrivacySetting({
        success: ({ needAuthorization, privacyContractName }) =>
          answered({ needed: needAuthorization, guide: privacyContractName }),
        fail: () => answered(nothing),
      });
    }),
  openPrivacyGuide: () =>
    new Promise((answered) => {
      if (!wx.openPrivacyContract) return answered(false);
      wx.openPrivacyContract({ success: () => answered(true), fail: () => answered(false) });
    }),
  onPrivacyNeeded: (ask) =>
    wx.onNeedPrivacyAuthorization?.((answer) => {
      void ask().then((agreed) =>
        answer(agreed ? { event: "agree", buttonId: AGREE_BUTTON } : { event: "disagree" }),
      );
    }),
};
