import { beforeEach, describe, expect, it, vi } from "vitest";
import { login, refused, SECRET, Server, type Asked, type Replies } from "../../tests/server";
import { storage } from "../../tests/uni";

const platform = vi.hoisted(() => ({
  loginCode: vi.fn<[], Promise<string | null>>(),
  online: vi.fn<[], Promise<boolean>>(),
}));
vi.mock("@/platform", () => ({ platform }));

import { api } from ".";
import { kept } from "../stores/kept";
import { call } from "./client";
import { ApiError } from "./errors";
import * as sessions from "./session";
import { sign } from "./signing";
import type { OrderDocument } from "./types";

const NOW = new Date("2026-11-24T12:00:00+08:00").getTime();
let codes = 0;
let server: Server;

beforeEach(() => {
  vi.useRealTimers();
  vi.useFakeTimers({ now: NOW });
  sessions.end();
  storage.clear();
  platform.loginCode.mockReset().mockImplementation(() => Promise.resolve(`code-${++codes}`));
  platform.online.mockReset().mockResolvedValue(true);
  server = new Server();
});

/** Let time pass until the call is over; its error as a value. */
async function over<T>(promise: Promise<T>): Promise<T | ApiError> {
  const outcome = promise.catch((problem: ApiError) => problem);
  let done = false;
  void outcome.then(() => (done = true));
  for (let i = 0; i < 400 && !done; i++) await vi.advanceTimersByTimeAsync(100);
  expect(done, "the call hangs").toBe(true);
  return outcome;
}
const code = (outcome: unknown) => (outcome instanceof ApiError ? outcome.code : "answered");
const tokenOf = (asked: Asked) => asked.header.Authorization?.replace("Bearer ", "");
const isLogin = (asked: Asked) => asked.url === "/api/auth/login";
/** Logs in whoever asks; the rest is answered by `others`. */
const withLogin =
  (others: Replies): Replies =>
  (asked, nth) =>
    isLogin(asked) ? [200, login()] : others(asked, nth);

describe("a signed call", () => {
  it("carries a signature over what is sent, and a nonce of its own", async () => {
    sessions.keep(login());
    server.replies = () => [200, { results: [], missing: [] }];
    await over(api.statuses(["FD1", "不存在"]));
    await over(api.orders({ q: "鱼丸 a+b", status: undefined, from: "" }));
    const [first, second] = server.asked as [Asked, Asked];
    expect(second.url).toBe("/api/orders?q=%E9%B1%BC%E4%B8%B8%20a%2Bb");
    const { "X-MP-Signature": signature, "X-MP-Nonce": nonce, "X-MP-Timestamp": timestamp } = first.header;
    expect(nonce).toMatch(/^[A-Za-z0-9_-]{16,64}$/);
    expect(second.header["X-MP-Nonce"]).not.toBe(nonce);
    expect(Number(timestamp)).toBe(NOW / 1000);
    const unsigned = {
      method: "POST",
      path: "/api/orders/statuses",
      query: [],
      body: first.data!,
      nonce: nonce!,
    };
    expect(signature).toBe(sign({ ...unsigned, timestamp: Number(timestamp) }, SECRET));
  });

  it.each(["counts", "statuses", "..", ".", "", "a/b", "鱼", "x".repeat(65)])(
    "isn't made for what can be no order number: %j",
    async (orderNo) => {
      expect(code(await over(api.order(orderNo)))).toBe("order_not_found");
      expect(server.asked).toEqual([]);
    },
  );

  it("takes 204 for done", async () => {
    sessions.keep(login());
    server.replies = () => [204];
    expect(await over(call({ method: "POST", path: ["x"] }))).toBeNull();
  });
});

describe("the clock", () => {
  it("is the server's from the login on", async () => {
    server.replies = withLogin(() => [200, {}]);
    server.replies = (asked) =>
      isLogin(asked) ? [200, login({ server_time: NOW / 1000 + 7200 })] : [200, {}];
    await over(api.counts());
    expect(server.asked[1]!.header["X-MP-Timestamp"]).toBe(String(NOW / 1000 + 7200));
  });

  it("is put right once when the server says that it is wrong, also for what may not be repeated", async () => {
    sessions.keep(login());
    const right = NOW / 1000 - 500;
    server.replies = (asked) =>
      Number(asked.header["X-MP-Timestamp"]) === right
        ? [200, { refreshed: true }]
        : [401, refused("timestamp_out_of_range", { server_time: right })];
    expect(code(await over(api.refresh("FD1")))).toBe("answered");
    expect(server.asked.length).toBe(2);
    expect(code(await over(api.counts()))).toBe("answered");
    expect(server.asked.length).toBe(3);
  });

  it("isn't put right over and over", async () => {
    sessions.keep(login());
    server.replies = () => [401, refused("timestamp_out_of_range", { server_time: 5 })];
    expect(code(await over(api.counts()))).toBe("timestamp_out_of_range");
    expect(server.asked.length).toBe(2);
  });

  it.each([undefined, "1767225600", null, 1.5])("isn't put right by %j", async (server_time) => {
    sessions.keep(login());
    server.replies = () => [401, refused("timestamp_out_of_range", { server_time })];
    expect(code(await over(api.counts()))).toBe("timestamp_out_of_range");
    expect(server.asked.length).toBe(1);
  });
});

describe("a session that is over", () => {
  it.each(["session_expired", "unauthenticated"])(
    "is renewed once for all calls at once: %s",
    async (why) => {
      sessions.keep(login({ token: "old" }));
      server.replies = withLogin((asked) => (tokenOf(asked) === "old" ? [401, refused(why)] : [200, {}]));
      const all = await over(Promise.all(Array.from({ length: 30 }, () => api.counts())));
      expect(all).toHaveLength(30);
      expect(server.asked.filter(isLogin)).toHaveLength(1);
    },
  );

  it("doesn't take the new one with it when late answers to the old one come in", async () => {
    sessions.keep(login({ token: "old" }));
    server.replies = withLogin((asked) => (tokenOf(asked) === "old" ? null : [200, {}]));
    const calls = Array.from({ length: 8 }, () => api.counts());
    await vi.advanceTimersByTimeAsync(0);
    const [first, ...late] = [...server.asked];
    first!.answer(401, refused("session_expired"));
    await vi.advanceTimersByTimeAsync(0);
    const renewed = sessions.session()!.token;
    expect(renewed).not.toBe("old");
    for (const asked of late) {
      asked.answer(401, refused("session_expired"));
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(await over(Promise.all(calls))).toHaveLength(8);
    expect(sessions.session()?.token).toBe(renewed);
    expect(server.asked.filter(isLogin)).toHaveLength(1);
  });

  it("isn't renewed twice for one call", async () => {
    server.replies = withLogin(() => [401, refused("session_expired")]);
    expect(code(await over(api.counts()))).toBe("session_expired");
    expect(server.asked.filter(isLogin)).toHaveLength(2);
  });

  it("leaves a browser's buyer to sign in, and what he saw where it is", async () => {
    platform.loginCode.mockResolvedValue(null);
    sessions.keep(login());
    kept.putOrder({ order_no: "FD1" } as OrderDocument);
    server.replies = () => [401, refused("session_expired")];
    expect(code(await over(api.counts()))).toBe("unauthenticated");
    expect([sessions.session(), kept.order("FD1")?.value.order_no]).toEqual([null, "FD1"]);
  });

  it("is known to be over by its end", async () => {
    sessions.keep(login({ expires_in: 60, token: "old" }));
    vi.setSystemTime(NOW + 61_000);
    server.replies = withLogin(() => [200, {}]);
    await over(api.counts());
    expect(server.asked.map(tokenOf)).not.toContain("old");
  });
});

describe("signing in", () => {
  it("takes a new code for each attempt, since a code is good once", async () => {
    server.replies = (asked, nth) => (isLogin(asked) ? (nth < 3 ? "fail" : [200, login()]) : [200, {}]);
    expect(code(await over(api.counts()))).toBe("answered");
    const bodies = server.asked.filter(isLogin).map((asked) => asked.data);
    expect(new Set(bodies).size).toBe(3);
  });

  it("waits for a platform that never answers no longer than ten seconds", async () => {
    platform.loginCode.mockReturnValue(new Promise(() => {}));
    expect(code(await over(api.counts()))).toBe("unauthenticated");
    platform.online.mockResolvedValue(false);
    expect(code(await over(api.counts()))).toBe("offline");
  });

  it("that was under way when another said who he is, doesn't take his place", async () => {
    let silent: Asked | undefined;
    server.replies = (asked) => {
      if (!isLogin(asked)) return [200, {}];
      if (asked.data!.includes("phone")) return [200, login({ token: "by-phone" })];
      silent = asked;
      return null;
    };
    const before = over(api.counts());
    await vi.advanceTimersByTimeAsync(0);
    await over(api.signInByPhone("13800138000", "123456"));
    silent!.answer(200, login({ token: "silent" }));
    expect(code(await before)).toBe("unauthenticated");
    expect(sessions.session()?.token).toBe("by-phone");
  });

  it("by a code from an SMS isn't repeated", async () => {
    server.replies = () => "fail";
    expect(code(await over(api.signInByPhone("13800138000", "123456")))).toBe("network");
    expect(server.asked.length).toBe(1);
  });
});

describe("signing out", () => {
  it("leaves nothing of the buyer, at once and also without a network", async () => {
    sessions.keep(login());
    kept.putOrder({ order_no: "FD1" } as OrderDocument);
    server.replies = () => "fail";
    const out = api.signOut();
    expect([sessions.session(), kept.order("FD1")]).toEqual([null, null]);
    await over(out);
    expect(JSON.stringify([...storage])).not.toMatch(/FD1|token|[0-9a-f]{64}/);
  });

  it("is told to the server with the session that ends, without a new one", async () => {
    sessions.keep(login({ token: "old" }));
    server.replies = () => [401, refused("session_expired")];
    await over(api.signOut());
    expect([server.paths, tokenOf(server.asked[0]!)]).toEqual([["POST /api/auth/logout"], "old"]);
    await over(api.signOut());
    expect(server.asked.length).toBe(1);
  });

  it("keeps out until he signs in by a tap, though the platform knows him", async () => {
    sessions.keep(login());
    server.replies = withLogin(() => [200, {}]);
    await over(api.signOut());
    expect(code(await over(api.counts()))).toBe("unauthenticated");
    await over(api.signIn());
    expect(code(await over(api.counts()))).toBe("answered");
  });

  it("makes answers that are on their way nobody's", async () => {
    sessions.keep(login());
    server.replies = (asked) => (asked.url.includes("logout") ? [204] : null);
    const calls = Array.from({ length: 12 }, () => over(api.order("FD1")));
    await vi.advanceTimersByTimeAsync(0);
    const before = [...server.asked];
    expect(before).toHaveLength(10);
    void api.signOut();
    for (const asked of before) asked.answer(200, { order_no: "FD1" });
    expect((await Promise.all(calls)).map(code)).toEqual(Array(12).fill("unauthenticated"));
    // Those that waited for their turn weren't sent any more.
    expect(server.asked.filter((asked) => asked.url.includes("FD1"))).toHaveLength(10);
  });
});

describe("trouble on the way", () => {
  beforeEach(() => void sessions.keep(login()));

  it("is waited out, longer each time, three tries in all", async () => {
    const at: number[] = [];
    server.replies = () => (at.push(Date.now()), "fail");
    expect(code(await over(api.counts()))).toBe("network");
    expect(at).toHaveLength(3);
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(200);
    expect(at[2]! - at[1]!).toBeGreaterThanOrEqual(400);
    expect(at[2]! - at[0]!).toBeLessThanOrEqual(1900);
  });

  it.each([
    [502, "<html>Bad Gateway</html>", "unavailable"],
    [503, refused("unavailable"), "unavailable"],
    [200, "<html>登录酒店网络</html>", "unreadable"],
    [200, "", "unreadable"],
    [200, "null", "unreadable"],
    [200, "[1]", "unreadable"],
    [302, "", "unreadable"],
    [429, "slow down", "rate_limited"],
  ])("is told apart: %s %j is %s", async (status, body, expected) => {
    server.replies = () => [status, body];
    expect(code(await over(api.counts()))).toBe(expected);
    expect(server.asked.length).toBe(3);
    expect(code(await over(api.refresh("FD1")))).toBe(expected);
    expect(server.asked.length).toBe(4);
  });

  it("passes", async () => {
    server.replies = (_, nth) => (nth < 3 ? "fail" : [200, { paid: 1 }]);
    expect(await over(api.counts())).toEqual({ paid: 1 });
  });

  it("never repeats asking the carrier, nor binding a phone", async () => {
    server.replies = () => "fail";
    expect(code(await over(api.refresh("FD1")))).toBe("network");
    expect(code(await over(api.bindPhone({ code: "c" })))).toBe("network");
    expect(server.asked.length).toBe(2);
  });

  it("repeats what says that it does no harm", async () => {
    server.replies = () => "fail";
    await over(api.grant([], "g1"));
    expect(server.asked.length).toBe(3);
    expect(new Set(server.asked.map((asked) => asked.header["X-MP-Nonce"])).size).toBe(3);
  });

  it("takes a used nonce for a lost answer: asked again only where that does no harm", async () => {
    server.replies = (_, nth) => (nth === 1 ? [401, refused("nonce_reused")] : [200, {}]);
    expect(code(await over(api.counts()))).toBe("answered");
    server.replies = () => [401, refused("nonce_reused")];
    expect(code(await over(api.refresh("FD1")))).toBe("nonce_reused");
    expect(server.asked.length).toBe(3);
  });

  it("waits as long as Retry-After says, and tells a long one instead", async () => {
    const at: number[] = [];
    server.replies = () => (at.push(Date.now()), [429, refused("rate_limited"), { "Retry-After": "2" }]);
    await over(api.counts());
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(2000);
    server.replies = () => [429, refused("rate_limited"), { "RETRY-AFTER": "30" }];
    const problem = (await over(api.counts())) as ApiError;
    expect([problem.code, problem.details.retryAfter, server.asked.length]).toEqual(["rate_limited", 30, 4]);
  });

  it.each(["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "x", "Infinity", ""])(
    "reads no wait in %j",
    async (wait) => {
      server.replies = () => [503, "", { "retry-after": wait }];
      expect(((await over(api.counts())) as ApiError).details.retryAfter).toBeUndefined();
      expect(server.asked.length).toBe(3);
    },
  );

  it.each(["order_not_found", "invalid", "not_possible", "forbidden", "internal"])(
    "doesn't repeat %s",
    async (why) => {
      server.replies = () => [400, refused(why, { fields: { q: "太长" } })];
      const problem = (await over(api.counts())) as ApiError;
      expect([problem.code, problem.message, problem.details.fields?.q]).toEqual([why, `${why}。`, "太长"]);
      expect(server.asked.length).toBe(1);
    },
  );

  it.each([
    { error: null },
    { error: "no" },
    { error: { code: 7, message: {}, fields: ["x"], server_time: "y" } },
    { error: { code: "invalid", fields: { q: null } } },
  ])("reads an error of another shape without failing: %j", async (body) => {
    server.replies = () => [400, body];
    const problem = await over(api.counts());
    expect(problem).toBeInstanceOf(ApiError);
    expect(typeof (problem as ApiError).message).toBe("string");
  });
});

describe("without a network", () => {
  beforeEach(() => {
    sessions.keep(login());
    platform.online.mockResolvedValue(false);
  });

  it("it is told at once, and once", async () => {
    server.replies = () => "fail";
    expect(code(await over(api.counts()))).toBe("offline");
    expect(server.asked.length).toBe(1);
  });

  it("nothing hangs, also where the platform never answers", async () => {
    server.replies = () => null;
    expect(code(await over(api.counts()))).toBe("offline");
    expect(Date.now() - NOW).toBeLessThan(3000);
  });

  it("an answer counts: the phone may be wrong about its network", async () => {
    server.replies = () => [200, { paid: 2 }];
    expect(await over(api.counts())).toEqual({ paid: 2 });
  });

  it.each([() => Promise.reject(new Error("x")), () => new Promise<boolean>(() => {})])(
    "a platform that can't say is taken for online",
    async (online) => {
      platform.online.mockImplementation(online);
      server.replies = () => "fail";
      expect(code(await over(api.refresh("FD1")))).toBe("network");
    },
  );
});

describe("at most ten at once", () => {
  beforeEach(() => void sessions.keep(login()));

  it("whatever becomes of them", async () => {
    server.replies = (asked, nth) => {
      // As on a bad day: a third fails, a third never answers, the rest is served.
      if (nth % 3 === 0) queueMicrotask(() => asked.fail());
      return nth % 3 === 1 ? null : nth % 3 === 0 ? null : [200, {}];
    };
    const calls = Array.from({ length: 60 }, (_, i) => api.refresh(`FD${i}`).catch(code));
    await over(Promise.all(calls));
    expect(server.asked.length).toBe(60);
    expect([server.most, server.atOnce]).toEqual([10, 0]);
    expect(server.asked.filter((asked) => asked.aborted)).toHaveLength(20);
    server.replies = () => null;
    void Array.from({ length: 20 }, () => api.refresh("FD1").catch(code));
    await vi.advanceTimersByTimeAsync(0);
    expect(server.atOnce).toBe(10);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.atOnce).toBe(0);
  });

  it("also where the platform throws", async () => {
    const request = vi.mocked(uni.request);
    const orderly = request.getMockImplementation();
    request.mockImplementation(() => {
      throw new Error("no such thing");
    });
    for (let i = 0; i < 12; i++) expect(code(await over(api.refresh("FD1")))).toBe("network");
    request.mockImplementation(orderly!);
    expect(code(await over(api.refresh("FD1")))).toBe("answered");
  });

  it("and what waited is signed when its turn comes, for the session of then", async () => {
    server.replies = () => null;
    void Array.from({ length: 10 }, () => api.refresh("FD1").catch(code));
    const late = over(api.refresh("FD2"));
    await vi.advanceTimersByTimeAsync(9_000);
    const renewed = sessions.keep(login());
    for (const asked of [...server.asked]) asked.answer(200, {});
    await vi.advanceTimersByTimeAsync(0);
    const last = server.asked[10]!;
    expect(Number(last.header["X-MP-Timestamp"])).toBeGreaterThanOrEqual(NOW / 1000 + 9);
    expect(tokenOf(last)).toBe(renewed.token);
    last.answer(200, {});
    await late;
  });
});

describe("the session on the phone", () => {
  const afresh = async () => {
    vi.resetModules();
    return import("./session");
  };

  it("is there after a restart", async () => {
    sessions.keep(login({ token: "kept" }));
    expect((await afresh()).session()?.token).toBe("kept");
  });

  it.each([
    { secret: "xyz" },
    { token: 5 },
    { endsAt: "soon" },
    { clockOffset: NaN },
    { api: "https://another.example" },
  ])("is forgotten, with what belongs to it, where it can't be used: %j", async (wrong) => {
    const held = sessions.keep(login());
    kept.putOrder({ order_no: "FD1" } as OrderDocument);
    storage.set("buyer:session", { ...held, ...wrong });
    expect((await afresh()).session()).toBeNull();
    expect([...storage.keys()].filter((key) => key.startsWith("buyer:"))).toEqual([]);
  });

  it("is held in memory where the storage is full or broken", async () => {
    for (const name of [
      "getStorageSync",
      "setStorageSync",
      "removeStorageSync",
      "getStorageInfoSync",
    ] as const) {
      vi.spyOn(uni, name).mockImplementation(() => {
        throw new Error("exceed storage max size 10Mb");
      });
    }
    server.replies = withLogin(() => [200, {}]);
    await over(Promise.all([api.counts(), api.counts()]));
    await over(api.counts());
    expect(server.asked.filter(isLogin)).toHaveLength(1);
    await over(api.signOut());
    expect(sessions.session()).toBeNull();
    vi.restoreAllMocks();
  });
});

it("never writes the secret or the token into a log or an error", async () => {
  const logged: unknown[] = [];
  for (const name of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, name).mockImplementation((...words: unknown[]) => void logged.push(...words));
  }
  sessions.keep(login({ token: "secret-token" }));
  const problems: unknown[] = [];
  for (const reply of [
    "fail",
    [500, "x"],
    [401, refused("session_expired")],
    [400, refused("invalid")],
  ] as const) {
    server.replies = () => reply as ReturnType<Replies>;
    const problem = (await over(api.counts())) as ApiError;
    problems.push({ ...problem, message: problem.message, stack: problem.stack, details: problem.details });
  }
  expect(JSON.stringify([logged, problems])).not.toMatch(new RegExp(`${SECRET}|secret-token`));
  expect(server.asked.every((asked) => !JSON.stringify(asked).includes(SECRET))).toBe(true);
  vi.restoreAllMocks();
});
