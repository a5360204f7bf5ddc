/** The signature that every call carries (MP1): no secret is built in, each session has its own. */
import { hmac } from "@noble/hashes/hmac";
import { sha256 } from "@noble/hashes/sha256";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils";
import { codePoints, percentEncode, utf8 } from "./text";

export type Query = readonly (readonly [string, string])[];

export interface Unsigned {
  method: string;
  /** Percent-decoded, without query. */
  path: string;
  query: Query;
  /** Exactly what is sent; empty for none. */
  body: string;
  /** Unix seconds, as the server counts them. */
  timestamp: number;
  nonce: string;
}

/** As the server compares them: JavaScript's own order is by UTF-16 unit. */
function byCodePoint(a: string, b: string): number {
  const [left, right] = [codePoints(a), codePoints(b)];
  for (let i = 0; i < left.length && i < right.length; i++) {
    const difference = left[i]! - right[i]!;
    if (difference) return difference;
  }
  return left.length - right.length;
}

export function canonicalQuery(query: Query): string {
  return [...query]
    .sort((a, b) => byCodePoint(a[0], b[0]) || byCodePoint(a[1], b[1]))
    .map(([key, value]) => `${percentEncode(key)}=${percentEncode(value)}`)
    .join("&");
}

export function stringToSign(asked: Unsigned): string {
  const digest = bytesToHex(sha256(utf8(asked.body)));
  const lines = ["MP1-HMAC-SHA256", asked.method, asked.path, canonicalQuery(asked.query), digest];
  return [...lines, String(asked.timestamp), asked.nonce].join("\n");
}

/** `secret` is the session's sign_secret, 64 hex digits. */
export function sign(asked: Unsigned, secret: string): string {
  return bytesToHex(hmac(sha256, hexToBytes(secret), utf8(stringToSign(asked))));
}
