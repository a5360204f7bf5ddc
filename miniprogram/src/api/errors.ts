/** What can go wrong with a call, told apart by what the buyer can do. */
import type { ErrorCode } from "./types";

/** `offline`: the phone has no network; `network`: no answer came; `unreadable`: the answer isn't ours. */
export type Trouble = ErrorCode | "offline" | "network" | "unreadable";

export class ApiError extends Error {
  constructor(
    readonly code: Trouble,
    message: string,
    readonly details: {
      status?: number;
      fields?: Record<string, string>;
      /** Seconds until it may be asked again. */
      retryAfter?: number;
      /** Unix seconds, where our clock is wrong. */
      serverTime?: number;
      requestId?: string;
      /** What the platform said, for a report; never for the buyer. */
      why?: string;
    } = {},
  ) {
    super(message);
    this.name = "ApiError";
  }

  get needsSignIn(): boolean {
    return this.code === "unauthenticated" || this.code === "session_expired";
  }

  /** Whether the same call may work in a moment. */
  get passing(): boolean {
    return ["offline", "network", "unreadable", "unavailable", "rate_limited"].includes(this.code);
  }
}
