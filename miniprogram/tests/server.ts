/** A server behind `uni.request`, for tests: what it was asked, how many at once, and what it answers. */
import { vi } from "vitest";

export interface Asked {
  method: string;
  url: string;
  header: Record<string, string>;
  data?: string;
  timeout: number;
  aborted: boolean;
  /** What the server has not answered yet can be answered by the test. */
  answer(status: number, body?: unknown, header?: Record<string, string>): void;
  fail(errMsg?: string): void;
}

export type Reply = [status: number, body?: unknown, header?: Record<string, string>];
/** Null: no answer by itself. */
export type Replies = (asked: Asked, nth: number) => Reply | "fail" | null;

interface Options {
  method: string;
  url: string;
  header: Record<string, string>;
  data?: string;
  timeout: number;
  success(result: { statusCode: number; header: Record<string, string>; data: unknown }): void;
  fail(result: { errMsg: string }): void;
}

export class Server {
  asked: Asked[] = [];
  atOnce = 0;
  most = 0;

  constructor(public replies: Replies = () => [200, {}]) {
    Object.assign(uni, { request: vi.fn((options: Options) => this.take(options)) });
  }

  get paths(): string[] {
    return this.asked.map((asked) => `${asked.method} ${asked.url}`);
  }

  private take(options: Options): { abort(): void } {
    this.most = Math.max(this.most, ++this.atOnce);
    let over = false;
    const end = (act: () => void) => {
      if (over) return;
      over = true;
      this.atOnce--;
      act();
    };
    const asked: Asked = {
      ...options,
      aborted: false,
      answer: (status, body = "", header = {}) => {
        const data = typeof body === "string" ? body : JSON.stringify(body);
        end(() => options.success({ statusCode: status, header, data }));
      },
      fail: (errMsg = "request:fail") => end(() => options.fail({ errMsg })),
    };
    this.asked.push(asked);
    const reply = this.replies(asked, this.asked.length);
    if (reply) queueMicrotask(() => (reply === "fail" ? asked.fail() : asked.answer(...reply)));
    return {
      abort: () => {
        asked.aborted = true;
        asked.fail("request:fail abort");
      },
    };
  }
}

export function refused(code: string, more: object = {}): object {
  return { error: { code, message: `${code}。`, request_id: "r1", ...more } };
}

export const SECRET = "0123456789abcdef".repeat(4);
let logins = 0;

/** What the server says to a login. Each has a token of its own. */
export function login(more: object = {}) {
  const server_time = Math.floor(Date.now() / 1000);
  return { token: `token-${++logins}`, sign_secret: SECRET, expires_in: 604800, server_time, ...more };
}
