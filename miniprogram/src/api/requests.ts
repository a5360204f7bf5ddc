/** A request as it travels, bare or signed. */
import * as sessions from "./session";
import { canonicalQuery, sign, type Query } from "./signing";
import { percentEncode } from "./text";
import type { Sent } from "./transport";

export interface Request {
  method: Sent["method"];
  /** Parts of the path below `/api`, as they are: they are encoded here. */
  path: readonly string[];
  query?: Record<string, string | number | undefined>;
  body?: object;
}

export function plain(asked: Request): Sent {
  const query = canonicalQuery(pairs(asked));
  const path = `/api/${asked.path.map(percentEncode).join("/")}`;
  return {
    method: asked.method,
    url: `${sessions.API}${path}${query ? `?${query}` : ""}`,
    headers: { Accept: "application/json", ...(asked.body && { "Content-Type": "application/json" }) },
    body: asked.body && JSON.stringify(asked.body),
  };
}

export function signed(asked: Request, held: sessions.Session): Sent {
  const sent = plain(asked);
  const timestamp = sessions.serverNow(held);
  const nonce = newNonce();
  const signature = sign(
    {
      method: asked.method,
      path: `/api/${asked.path.join("/")}`,
      query: pairs(asked),
      body: sent.body ?? "",
      timestamp,
      nonce,
    },
    held.secret,
  );
  return {
    ...sent,
    headers: {
      ...sent.headers,
      Authorization: `Bearer ${held.token}`,
      "X-MP-Timestamp": String(timestamp),
      "X-MP-Nonce": nonce,
      "X-MP-Signature": signature,
    },
  };
}

function pairs(asked: Request): Query {
  return Object.entries(asked.query ?? {})
    .filter((pair): pair is [string, string | number] => pair[1] !== undefined && pair[1] !== "")
    .map(([key, value]) => [key, String(value)]);
}

let counter = 0;

/** Never the same twice in a session; it is no secret. */
function newNonce(): string {
  const random = () => Math.random().toString(36).slice(2, 12).padEnd(10, "0");
  return `${Date.now().toString(36)}-${(counter++).toString(36)}-${random()}${random()}`;
}
