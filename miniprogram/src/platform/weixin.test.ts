import { beforeEach, describe, expect, test, vi } from "vitest";
import { weixin } from "./weixin";

type Shown = (how: object) => void;
const component = {
  business_type: "weappOrderConfirm",
  extra_data: { merchant_id: "1900000109", merchant_trade_no: "P1" },
};

let watching: Set<Shown>;
let wx: Record<string, unknown>;
let opened: Record<string, unknown>[];

beforeEach(() => {
  watching = new Set();
  opened = [];
  wx = {
    onAppShow: (shown: Shown) => watching.add(shown),
    offAppShow: (shown: Shown) => watching.delete(shown),
    openBusinessView: (asked: { success(): void }) => {
      opened.push(asked);
      asked.success();
    },
  };
  vi.stubGlobal("wx", wx);
});

function comesBack(how: object): void {
  [...watching].forEach((shown) => shown(how));
}

const from = (appId: string, status: string) => ({ referrerInfo: { appId, extraData: { status } } });

describe("WeChat's own confirmation", () => {
  test.each([
    [from("wx1183b055aeec94d1", "success"), "done"],
    [from("wx1183b055aeec94d1", "cancel"), "cancelled"],
    [from("wx1183b055aeec94d1", "fail"), "unavailable"],
    [from("wx1183b055aeec94d1", "a word of tomorrow"), "unavailable"],
    [from("wxsomebodyelse", "success"), "cancelled"],
    [{}, "cancelled"],
  ])("says %j as we are shown again: %s", async (how, answer) => {
    const told = weixin.confirmReceipt(component);
    comesBack(how);
    expect(await told).toBe(answer);
    expect(watching.size).toBe(0);
    expect(opened[0]).toMatchObject({
      businessType: "weappOrderConfirm",
      extraData: component.extra_data,
    });
  });

  test("is unavailable where it doesn't open, and nobody waits for it", async () => {
    wx.openBusinessView = ({ fail }: { fail(): void }) => fail();
    expect(await weixin.confirmReceipt(component)).toBe("unavailable");
    expect(watching.size).toBe(0);
    delete wx.openBusinessView;
    expect(await weixin.confirmReceipt(component)).toBe("unavailable");
  });
});

describe("consents", () => {
  function answering(result: object | null) {
    const ask = vi.fn(
      ({ success, fail }: { tmplIds: string[]; success(said: object): void; fail(): void }) =>
        result ? success(result) : fail(),
    );
    Object.assign(uni, { requestSubscribeMessage: ask });
    return ask;
  }

  test("are asked for in the tap's own turn", () => {
    const ask = answering({});
    void weixin.askConsents(["a"]);
    expect(ask).toHaveBeenCalledOnce();
  });

  test("are asked for by three at most, each once", async () => {
    const ask = answering({});
    await weixin.askConsents(["a", "a", "b", "c", "d"]);
    expect(ask.mock.calls[0]![0].tmplIds).toEqual(["a", "b", "c"]);
    await weixin.askConsents([]);
    expect(ask).toHaveBeenCalledOnce();
  });

  test("keep WeChat's words, and only those about what was asked", async () => {
    answering({ errMsg: "requestSubscribeMessage:ok", a: "accept", b: "ban", z: "accept" });
    expect(await weixin.askConsents(["a", "b", "c"])).toEqual({ a: "accept", b: "ban" });
  });

  test("are none where the dialog didn't come up", async () => {
    answering(null);
    expect(await weixin.askConsents(["a"])).toEqual({});
  });
});

describe("the logistics page", () => {
  test("isn't there in a build without the plugin", async () => {
    const requirePlugin = vi.fn();
    vi.stubGlobal("requirePlugin", requirePlugin);
    expect(await weixin.openWaybill("token")).toBe(false);
    expect(requirePlugin).not.toHaveBeenCalled();
  });

  test("opens with the parcel's token where the plugin is in the build", async () => {
    const openWaybillTracking = vi.fn();
    vi.stubEnv("VITE_LOGISTICS_PLUGIN", "1.0.0");
    vi.stubGlobal("requirePlugin", () => ({ openWaybillTracking }));
    expect([await weixin.openWaybill("token"), await weixin.openWaybill("")]).toEqual([true, false]);
    expect(openWaybillTracking).toHaveBeenCalledWith({ waybillToken: "token" });
    vi.stubGlobal("requirePlugin", () => {
      throw new Error("not declared");
    });
    expect(await weixin.openWaybill("token")).toBe(false);
    vi.unstubAllEnvs();
  });
});
