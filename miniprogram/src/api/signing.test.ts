import { hmac } from "@noble/hashes/hmac";
import { sha256 } from "@noble/hashes/sha256";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils";
import fc from "fast-check";
import { createHash, createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import vectors from "../../tests/fixtures/request_signing.json";
import { canonicalQuery, sign, stringToSign, type Query } from "./signing";
import { percentEncode, utf8 } from "./text";

const unsigned = (vector: (typeof vectors)[number]) => ({
  ...vector,
  path: vector.decoded_path,
  query: vector.decoded_query as unknown as Query,
});
const buyers = vectors.filter((vector) => vector.string_to_sign.startsWith("MP1"));
const anyText = fc.oneof(fc.string(), fc.fullUnicodeString(), fc.string16bits());
const anyQuery = fc.array(fc.tuple(anyText, anyText), { maxLength: 8 });

describe("the published vectors", () => {
  it("are all there", () => expect([vectors.length, buyers.length]).toEqual([8, 7]));

  it.each(vectors)("$method $url gives the string to sign", (vector) => {
    const lines = stringToSign(unsigned(vector)).split("\n").slice(1);
    expect(lines).toEqual(vector.string_to_sign.split("\n").slice(1));
  });

  it.each(buyers)("$method $url gives the signature", (vector) => {
    expect(sign(unsigned(vector), vector.secret_hex)).toBe(vector.signature);
  });
});

describe("the bytes", () => {
  it("are those of Node's own UTF-8", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(Buffer.from(utf8(text)).equals(Buffer.from(new TextEncoder().encode(text)))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it("are hashed and keyed as Node does", () => {
    fc.assert(
      fc.property(anyText, fc.uint8Array({ minLength: 32, maxLength: 32 }), (text, key) => {
        const [bytes, secret] = [utf8(text), bytesToHex(key)];
        expect(bytesToHex(sha256(bytes))).toBe(createHash("sha256").update(bytes).digest("hex"));
        const ours = bytesToHex(hmac(sha256, hexToBytes(secret), bytes));
        expect(ours).toBe(createHmac("sha256", key).update(bytes).digest("hex"));
      }),
    );
  });

  it("are percent-encoded as encodeURIComponent does, and the five that it leaves too", () => {
    const theirs = (text: string) =>
      encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
    fc.assert(
      fc.property(fc.fullUnicodeString(), (text) => {
        expect(percentEncode(text)).toBe(theirs(text));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("the canonical query", () => {
  it("is read back by Node's URLSearchParams as the pairs that went in", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.fullUnicodeString(), fc.fullUnicodeString())), (pairs) => {
        const read = [...new URLSearchParams(canonicalQuery(pairs))];
        const sorted = (some: [string, string][]) => some.map((pair) => JSON.stringify(pair)).sort();
        expect(sorted(read)).toEqual(sorted(pairs));
      }),
      { numRuns: 2000 },
    );
  });

  it("doesn't depend on the order in which it was asked", () => {
    fc.assert(
      fc.property(anyQuery, (pairs) => {
        expect(canonicalQuery([...pairs].reverse())).toBe(canonicalQuery(pairs));
      }),
    );
  });

  it("is sorted by code point, which UTF-8's bytes are in the order of", () => {
    fc.assert(
      fc.property(anyQuery, (pairs) => {
        const bytes = ([key, value]: readonly [string, string]) =>
          [Buffer.from(key), Buffer.from(value)] as const;
        const expected = pairs
          .map((pair) => ({ pair, bytes: bytes(pair) }))
          .sort((a, b) => Buffer.compare(a.bytes[0], b.bytes[0]) || Buffer.compare(a.bytes[1], b.bytes[1]))
          .map(({ pair: [key, value] }) => `${percentEncode(key)}=${percentEncode(value)}`);
        expect(canonicalQuery(pairs)).toBe(expected.join("&"));
      }),
      { numRuns: 2000 },
    );
  });
});
