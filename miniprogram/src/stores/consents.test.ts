import { beforeEach, describe, expect, it, vi } from "vitest";
import { login, refused, Server, type Asked } from "../../tests/server";
import { storage } from "../../tests/uni";

const platform = vi.hoisted(() => ({
  canAskConsents: true,
  askConsents: vi.fn<[string[]], Promise<Record<string, string>>>(),
  loginCode: () => Promise.resolve(null),
  online: () => Promise.resolve(true),
}));
vi.mock("@/platform", () => ({ platform }));

import * as sessions from "@/api/session";
import { consents } from "./consents";

const template = (template_id: string) => ({
  template_id,
  title: "订单发货通知",
  milestones: [],
  balance: 0,
});
const told = (server: Server) =>
  server.asked
    .filter((one) => one.method === "POST")
    .map((one) => JSON.parse(one.data!) as { grant_id: string });
const settle = () => vi.advanceTimersByTimeAsync(5_000);
let server: Server;
let grantReply: () => ReturnType<Server["replies"]>;

beforeEach(() => {
  vi.useRealTimers();
  vi.useFakeTimers();
  sessions.begin(login());
  platform.canAskConsents = true;
  platform.askConsents
    .mockReset()
    .mockImplementation((ids) => Promise.resolve(Object.fromEntries(ids.map((id) => [id, "accept"]))));
  grantReply = () => [200, { results: [], ignored: [] }];
  server = new Server((asked: Asked) =>
    asked.method === "POST" ? grantReply() : [200, { results: ["a", "b", "c", "d"].map(template) }],
  );
});

const ask = async () => consents.ask(await consents.advised("FD1"));

describe("asking", () => {
  it("happens within the tap, for at most three templates", async () => {
    const advised = await consents.advised("FD1");
    void consents.ask(advised);
    expect(platform.askConsents.mock.calls).toEqual([[["a", "b", "c"]]]);
  });

  it("is told to the server with an id of its own", async () => {
    for (let i = 0; i < 2; i++) {
      expect(await ask()).toBe(true);
      await settle();
    }
    const [first, second] = told(server);
    expect(first).toMatchObject({
      grants: ["a", "b", "c"].map((template_id) => ({ template_id, result: "accept" })),
    });
    expect(first!.grant_id).toMatch(/^[A-Za-z0-9_-]{8,64}$/);
    expect(second!.grant_id).not.toBe(first!.grant_id);
  });

  it("doesn't wait for the server", async () => {
    grantReply = () => null;
    expect(await ask()).toBe(true);
  });

  it("may be refused, and that is told too", async () => {
    platform.askConsents.mockResolvedValue({ a: "reject", b: "ban", c: "word-of-tomorrow" });
    expect(await ask()).toBe(false);
    await settle();
    expect(told(server)).toMatchObject([
      {
        grants: [
          { template_id: "a", result: "reject" },
          { template_id: "b", result: "ban" },
        ],
      },
    ]);
  });

  it.each([
    ["doesn't come up", () => Promise.resolve({})],
    ["fails", () => Promise.reject(new Error("20004"))],
    [
      "throws",
      () => {
        throw new Error("not a tap");
      },
    ],
  ])("is no trouble where the dialog %s: nothing is told", async (_, dialog) => {
    platform.askConsents.mockImplementation(dialog);
    expect(await ask()).toBe(false);
    await settle();
    expect(told(server)).toEqual([]);
  });

  it("isn't done without advice", async () => {
    expect(await consents.ask([])).toBe(false);
    expect(platform.askConsents).not.toHaveBeenCalled();
  });

  it("isn't done where the platform can't, and the server isn't asked either", async () => {
    platform.canAskConsents = false;
    expect(await consents.advised("FD1")).toEqual([]);
    expect(await consents.ask([template("a")])).toBe(false);
    expect([server.asked, platform.askConsents.mock.calls]).toEqual([[], []]);
  });

  it("for the order just paid needs no number", async () => {
    await consents.advised();
    expect(server.asked.at(-1)!.url).toBe("/api/subscriptions/advice");
  });
});

describe("what the server hasn't heard", () => {
  it("is kept and told later, under the same id", async () => {
    grantReply = () => "fail";
    await ask();
    await settle();
    const first = told(server)[0]!.grant_id;
    expect(JSON.stringify(storage.get("buyer:grants"))).toContain(first);
    grantReply = () => [200, { results: [], ignored: [] }];
    await consents.advised("FD1");
    await settle();
    expect(new Set(told(server).map((one) => one.grant_id))).toEqual(new Set([first]));
    expect(storage.get("buyer:grants")).toEqual([]);
    const before = server.asked.length;
    await consents.report();
    expect(server.asked.length).toBe(before);
  });

  it("is told after a restart", async () => {
    grantReply = () => "fail";
    await ask();
    await settle();
    grantReply = () => [200, { results: [], ignored: [] }];
    vi.resetModules();
    const before = told(server).length;
    await (await import("./consents")).consents.report();
    expect(told(server).length).toBe(before + 1);
  });

  it("is told once though many ask for it", async () => {
    grantReply = () => null;
    await ask();
    void consents.report();
    void consents.report();
    await vi.advanceTimersByTimeAsync(0);
    expect(told(server)).toHaveLength(1);
    server.asked.at(-1)!.answer(200, {});
    await settle();
    expect(told(server)).toHaveLength(1);
  });

  it.each(["invalid", "not_possible"])("is given up where the server will never take it: %s", async (why) => {
    grantReply = () => [400, refused(why)];
    await ask();
    await settle();
    expect(storage.get("buyer:grants")).toEqual([]);
  });

  it("waits for the buyer to be signed in again", async () => {
    grantReply = () => [401, refused("session_expired")];
    await ask();
    await settle();
    expect(sessions.session()).toBeNull();
    expect(storage.get("buyer:grants")).toHaveLength(1);
  });

  it("goes with the buyer, and isn't told for the next one", async () => {
    grantReply = () => "fail";
    await ask();
    await settle();
    sessions.begin(login());
    const before = told(server).length;
    await consents.report();
    expect(told(server).length).toBe(before);
  });

  it("doesn't come back when he goes while it is told", async () => {
    grantReply = () => null;
    await ask();
    await vi.advanceTimersByTimeAsync(0);
    sessions.begin(login());
    server.asked.at(-1)!.answer(200, {});
    await settle();
    expect(storage.has("buyer:grants")).toBe(false);
  });

  it("is remembered as far as the phone's storage allows, and bounded", async () => {
    grantReply = () => "fail";
    for (let i = 0; i < 25; i++) {
      await consents.ask([template("a")]);
    }
    expect(storage.get("buyer:grants")).toHaveLength(20);
    storage.set("buyer:grants", "nonsense");
    vi.resetModules();
    await (await import("./consents")).consents.report();
  });
});
