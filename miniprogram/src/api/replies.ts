/** What an answer says: the thing asked for, or why not. */
import { ApiError, type Trouble } from "./errors";
import type { Answer } from "./transport";
import type { ErrorCode } from "./types";

type Given = Record<string, unknown>;

/** Every answer of ours is an object, or 204: anything else comes from something on the way (a proxy, a hotel's page). */
export function read<T>(answer: Answer): T {
  const good = answer.status >= 200 && answer.status < 300;
  if (good && answer.status === 204) return null as T;
  if (good && isObject(answer.body)) return answer.body as T;
  throw refusal(answer);
}

function refusal({ status, headers, body }: Answer): ApiError {
  const error: Given = isObject(body) && isObject(body.error) ? body.error : {};
  const code = typeof error.code === "string" ? (error.code as ErrorCode) : codeOf(status);
  const wait = Number(headers["retry-after"]);
  return new ApiError(code, text(error.message) ?? "", {
    status,
    fields: isObject(error.fields) ? sentences(error.fields) : undefined,
    serverTime: Number.isSafeInteger(error.server_time) ? (error.server_time as number) : undefined,
    requestId: text(error.request_id),
    retryAfter: wait > 0 && Number.isFinite(wait) ? wait : undefined,
  });
}

/** Where something on the way refused in its own words. */
function codeOf(status: number): Trouble {
  if (status === 429) return "rate_limited";
  if (status === 413) return "too_large";
  return status >= 500 ? "unavailable" : "unreadable";
}

function sentences(fields: Given): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, why]) => [name, String(why)]));
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isObject(value: unknown): value is Given {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
