import { describe, expect, test, vi } from "vitest";
import { ApiError } from "@/api/errors";
import type { OrderDocument, WechatComponents } from "@/api/types";
import { at, eta, HOUR, NOW, order, parcel } from "../../tests/fixtures/documents";
import { orderView, type Around } from "./order";

const NO = "FD20261123103802022";
const COMPONENT = { business_type: "weappOrderConfirm", extra_data: { transaction_id: "42" } };

function page(given: { [K in keyof Around]?: Partial<Around[K]> } = {}, document = order()) {
  const kept = new Map<string, { value: OrderDocument; at: number }>();
  const clock = { now: NOW };
  const around: Around = {
    source: {
      order: vi.fn(async () => document),
      orders: vi.fn(async () => ({ results: [], next: null })),
      refresh: vi.fn(async () => ({ refreshed: true, next_allowed_at: at(NOW + HOUR / 2) })),
      confirm: vi.fn(async () => order("delivered")),
      wechat: vi.fn(async (): Promise<WechatComponents> => ({ confirm: null, waybills: [] })),
      ...given.source,
    },
    memory: {
      order: (orderNo) => kept.get(orderNo) ?? null,
      putOrder: (value) => void kept.set(value.order_no, { value, at: clock.now }),
      dropOrder: (orderNo) => void kept.delete(orderNo),
    },
    reminders:
      given.reminders === undefined
        ? null
        : { advised: async () => [], ask: async () => true, ...given.reminders },
    components: {
      hasComponents: false,
      confirmReceipt: vi.fn(async () => "unavailable" as const),
      ...given.components,
    },
    now: () => clock.now,
  };
  return { kept, clock, around, open: () => orderView(NO, around) };
}

const offline = () => Promise.reject(new ApiError("offline", ""));

test("what was kept shows at once, and stays with the reason where it can't be renewed", async () => {
  const { kept, open } = page({ source: { order: offline } });
  kept.set(NO, { value: order("paid"), at: NOW - HOUR });
  const view = open();
  expect(view.state).toMatchObject({ at: NOW - HOUR, document: { status: "paid" } });
  await view.load();
  expect(view.state).toMatchObject({
    at: NOW - HOUR,
    document: { status: "paid" },
    problem: { code: "offline" },
    busy: null,
  });
});

test("what the server says is shown and kept", async () => {
  const { kept, open } = page();
  const view = open();
  await view.load();
  expect(view.state).toMatchObject({ at: NOW, document: { status: "in_transit" }, problem: null });
  expect(kept.get(NO)?.value.status).toBe("in_transit");
});

test("an order that isn't the buyer's any more leaves nothing behind", async () => {
  const { kept, open } = page({
    source: { order: () => Promise.reject(new ApiError("order_not_found", "")) },
  });
  kept.set(NO, { value: order(), at: NOW - HOUR });
  const view = open();
  await view.load();
  expect(view.state).toMatchObject({ document: null, problem: { code: "order_not_found" } });
  expect(kept.size).toBe(0);
});

test("an answer that comes after a newer one is nobody's", async () => {
  const answers: ((document: OrderDocument) => void)[] = [];
  const { open } = page({ source: { order: () => new Promise((answered) => answers.push(answered)) } });
  const view = open();
  const both = [view.load(), view.load()];
  answers[1]!(order("delivered"));
  answers[0]!(order("paid"));
  await Promise.all(both);
  expect(view.state.document?.status).toBe("delivered");
  expect(view.state.busy).toBeNull();
});

test("looked at again at once it isn't asked for again; a little later, or after a failure, it is", async () => {
  const { clock, around, open } = page();
  const view = open();
  await view.load();
  await view.lookAgain();
  expect(around.source.order).toHaveBeenCalledTimes(1);
  clock.now += 60_000;
  await view.lookAgain();
  expect(around.source.order).toHaveBeenCalledTimes(2);
  expect(view.state.now).toBe(clock.now);
  // The phone's clock may be put back.
  clock.now -= HOUR;
  await view.lookAgain();
  expect(around.source.order).toHaveBeenCalledTimes(3);
});

describe("asking the carrier", () => {
  test("the news are read before the buyer is told of them", async () => {
    const { around, open } = page();
    const view = open();
    expect(await view.refresh()).toEqual({ kind: "new" });
    expect(around.source.order).toHaveBeenCalledTimes(1);
    expect(view.state).toMatchObject({ busy: null, document: { status: "in_transit" } });
  });

  test("a silent carrier is told from one that was asked a short while ago", async () => {
    const answer = async () => ({ refreshed: false, next_allowed_at: at(NOW + HOUR / 2) });
    const early = page({ source: { refresh: answer } }, order("in_transit"));
    expect(await early.open().refresh()).toEqual({ kind: "early", clock: "11:00" });
    const silent = page(
      { source: { refresh: answer } },
      order("in_transit", { shipments: [parcel("in_transit", { checked_at: at(NOW) })] }),
    );
    expect(await silent.open().refresh()).toEqual({ kind: "silent" });
  });

  test("a question that doesn't get through is the caller's to tell, and can be asked again", async () => {
    const view = page({ source: { refresh: offline } }).open();
    await expect(view.refresh()).rejects.toThrow(ApiError);
    expect(view.state.busy).toBeNull();
  });
});

describe("confirming", () => {
  const weixin = (answer: "done" | "cancelled" | "unavailable") => ({
    source: { wechat: vi.fn(async () => ({ confirm: COMPONENT, waybills: [] })) },
    components: { hasComponents: true, confirmReceipt: vi.fn(async () => answer) },
  });

  test("in a browser the server alone is told", async () => {
    const { around, open } = page();
    const view = open();
    expect(await view.confirm()).toBe("done");
    expect(around.source.wechat).not.toHaveBeenCalled();
    expect(view.state.document?.status).toBe("delivered");
  });

  test("WeChat is asked first, and the server after it", async () => {
    const { around, open } = page(weixin("done"));
    expect(await open().confirm()).toBe("done");
    expect(around.components.confirmReceipt).toHaveBeenCalledWith(COMPONENT);
    expect(around.source.confirm).toHaveBeenCalledTimes(1);
  });

  test("who gives it up at WeChat confirms nothing", async () => {
    const { around, open } = page(weixin("cancelled"));
    expect(await open().confirm()).toBe("cancelled");
    expect(around.source.confirm).not.toHaveBeenCalled();
  });

  test.each(["unavailable", "done"] as const)(
    "where its component is %s the order is confirmed all the same",
    async (answer) => {
      const { around, open } = page(weixin(answer));
      expect(await open().confirm()).toBe("done");
      expect(around.source.confirm).toHaveBeenCalledTimes(1);
    },
  );

  test("where its data can't be had the order is confirmed all the same", async () => {
    const { around, open } = page({ source: { wechat: offline }, components: { hasComponents: true } });
    expect(await open().confirm()).toBe("done");
    expect(around.source.confirm).toHaveBeenCalledTimes(1);
  });

  test("a load under way doesn't undo what was confirmed", async () => {
    let answered: (document: OrderDocument) => void = () => undefined;
    const { open } = page({ source: { order: () => new Promise((go) => (answered = go)) } });
    const view = open();
    const loading = view.load();
    await view.confirm();
    answered(order("in_transit"));
    await loading;
    expect(view.state).toMatchObject({ document: { status: "delivered" }, busy: null });
  });
});

test("before shipping the arrival is asked of the list", async () => {
  const expected = eta(NOW + HOUR, NOW + 2 * HOUR);
  const row = { order_no: NO, eta: expected } as never;
  const { open } = page({ source: { orders: async () => ({ results: [row], next: null }) } }, order("paid"));
  const view = open();
  await view.load();
  await vi.waitFor(() => expect(view.state.expected).toEqual(expected));
});

test("what the page can do without is not missed", async () => {
  const { open } = page(
    {
      source: { orders: offline, wechat: offline },
      components: { hasComponents: true },
      reminders: { advised: offline },
    },
    order("paid"),
  );
  const view = open();
  await view.load();
  expect(view.state.problem).toBeNull();
});

test("what is worth asking is asked once, and not again for this look at the page", async () => {
  const template = { template_id: "t", title: "发货通知", milestones: [], balance: 0 };
  const ask = vi.fn(async () => true);
  const { open } = page({ reminders: { advised: async () => [template], ask } });
  const view = open();
  await view.load();
  await vi.waitFor(() => expect(view.state.advised).toEqual([template]));
  expect(await view.remind()).toBe(true);
  expect(ask).toHaveBeenCalledWith([template]);
  expect(view.state.advised).toEqual([]);
});
