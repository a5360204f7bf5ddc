import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api } from "@/api";
import { ApiError } from "@/api/errors";
import * as sessions from "@/api/session";
import { account } from "./account";

const LOGIN = {
  token: "t".repeat(43),
  sign_secret: "a".repeat(64),
  expires_in: 604800,
  server_time: 1795401546,
};

beforeEach(() => {
  sessions.end();
  sessions.begin(LOGIN);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("the bound phone", () => {
  it("is kept as the server masks it", async () => {
    vi.spyOn(api, "bindPhone").mockResolvedValue({ phone: "138****1234" });
    expect(await account.bind({ code: "c" })).toBe("138****1234");
    expect(account.known.phone).toBe("138****1234");
    expect(account.offersBinding()).toBe(false);
  });

  it("is masked before it is kept where the buyer signed in with it", async () => {
    vi.spyOn(api, "signInByPhone").mockImplementation(async () => void sessions.begin(LOGIN));
    await account.signIn("13812341234", "123456");
    expect(account.known.phone).toBe("138****1234");
  });

  it("isn't kept where the code was wrong", async () => {
    vi.spyOn(api, "signInByPhone").mockRejectedValue(new ApiError("invalid", ""));
    await expect(account.signIn("13812341234", "000000")).rejects.toThrow(ApiError);
    expect(account.known.phone).toBe("");
  });

  it("goes with the buyer", async () => {
    vi.spyOn(api, "bindPhone").mockResolvedValue({ phone: "138****1234" });
    await account.bind({ code: "c" });
    account.bindLater();
    sessions.end();
    expect(account.known).toEqual({ phone: "", quietUntil: 0, verifyAgain: false, asked: false });
  });
});

describe("what the server knows of the phone", () => {
  it("replaces what was kept here", async () => {
    vi.spyOn(api, "me").mockResolvedValue({ phone: "139****0000", verify_again: true });
    expect(account.offersBinding()).toBe(false);
    await account.load();
    expect(account.known).toMatchObject({ phone: "139****0000", verifyAgain: true });
    expect(account.offersBinding()).toBe(true);
  });

  it("leaves what was kept where no answer comes", async () => {
    vi.spyOn(api, "bindPhone").mockResolvedValue({ phone: "138****1234" });
    vi.spyOn(api, "me").mockRejectedValue(new ApiError("network", ""));
    await account.bind({ code: "c" });
    await account.load();
    expect(account.known.phone).toBe("138****1234");
  });

  it("is nobody's once the buyer has gone", async () => {
    vi.spyOn(api, "me").mockImplementation(async () => {
      sessions.end();
      return { phone: "139****0000", verify_again: false };
    });
    await account.load();
    expect(account.known.phone).toBe("");
  });
});

it("offers the binding again only after a month to who declined", async () => {
  vi.useFakeTimers({ now: 1_795_401_546_000 });
  vi.spyOn(api, "me").mockResolvedValue({ phone: null, verify_again: false });
  await account.load();
  expect(account.offersBinding()).toBe(true);
  account.bindLater();
  vi.advanceTimersByTime(29 * 24 * 3600 * 1000);
  expect(account.offersBinding()).toBe(false);
  vi.advanceTimersByTime(2 * 24 * 3600 * 1000);
  expect(account.offersBinding()).toBe(true);
});
