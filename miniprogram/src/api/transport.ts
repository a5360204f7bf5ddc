/** One request over `uni.request`, with at most ten under way: WeChat refuses the eleventh. */
import { platform } from "@/platform";
import { ApiError } from "./errors";

export interface Sent {
  method: "GET" | "POST" | "PUT";
  url: string;
  headers: Record<string, string>;
  body?: string;
}

export interface Answer {
  status: number;
  /** Names in small letters. */
  headers: Record<string, string>;
  /** What the answer's JSON says; null for nothing, undefined where it can't be read. */
  body: unknown;
}

export const AT_ONCE = 10;
export const TIMEOUT_MS = 10_000;
/** How long a request may take where the phone says that it has no network: it may be wrong. */
export const OFFLINE_MS = 2_000;
/** Past the platform's own limit, which not each of them keeps. */
const GRACE_MS = 1_000;

let underWay = 0;
const waiting: (() => void)[] = [];

async function turn(): Promise<void> {
  if (underWay < AT_ONCE) underWay++;
  else await new Promise<void>((go) => waiting.push(go));
}

function done(): void {
  const next = waiting.shift();
  if (next) next();
  else underWay--;
}

/** Ask when it is our turn: `make` is called then, so that nothing is signed early. Throws ApiError without an answer. */
export async function transport(make: () => Sent): Promise<Answer> {
  await turn();
  try {
    return await send(make());
  } finally {
    done();
  }
}

function send(sent: Sent): Promise<Answer> {
  return new Promise((answered, failed) => {
    let over = false;
    let task: UniApp.RequestTask | undefined;
    const end = (act: () => void) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      act();
    };
    const giveUp = () =>
      end(() => {
        // What was given up holds one of the ten places until it is ended.
        attempt(() => task?.abort());
        void unanswered("timeout").then(failed);
      });
    let timer = setTimeout(giveUp, TIMEOUT_MS + GRACE_MS);
    void platform.online().then((online) => {
      if (online || over) return;
      clearTimeout(timer);
      timer = setTimeout(giveUp, OFFLINE_MS);
    }, ignored);
    try {
      task = uni.request({
        url: sent.url,
        method: sent.method,
        header: sent.headers,
        data: sent.body,
        timeout: TIMEOUT_MS,
        // Text, so that what can't be read is an error and no half-read answer.
        dataType: "text",
        success: ({ statusCode, header, data }) =>
          end(() =>
            answered({ status: statusCode, headers: lowered(header), body: parsed(statusCode, data) }),
          ),
        fail: (problem) => end(() => void unanswered(problem?.errMsg ?? "").then(failed)),
      });
    } catch (problem) {
      end(() => void unanswered(String(problem)).then(failed));
    }
  });
}

/** `offline` where the phone says so; it is asked, but not waited for. */
async function unanswered(why: string): Promise<ApiError> {
  const unknown = new Promise<boolean>((go) => setTimeout(() => go(true), 500));
  const online = await Promise.race([platform.online().catch(() => true), unknown]);
  return new ApiError(online ? "network" : "offline", "", { why });
}

function lowered(headers: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries((headers ?? {}) as Record<string, unknown>).map(([name, value]) => [
      name.toLowerCase(),
      String(value),
    ]),
  );
}

function parsed(status: number, data: unknown): unknown {
  if (status === 204 || data === "" || data === null) return null;
  if (typeof data !== "string") return data;
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return undefined;
  }
}

function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // It was over already.
  }
}

function ignored(): void {}
