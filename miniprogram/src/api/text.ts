/** UTF-8 without TextEncoder and URL, which the mini-program's runtime lacks. */

/** A half of a pair stands for nothing: it is sent as U+FFFD, as every encoder does. */
export function codePoints(text: string): number[] {
  return Array.from(text, (character) => {
    const point = character.codePointAt(0)!;
    return point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
  });
}

export function utf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const code of codePoints(text)) {
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else
      bytes.push(
        0xf0 | (code >> 18),
        0x80 | ((code >> 12) & 63),
        0x80 | ((code >> 6) & 63),
        0x80 | (code & 63),
      );
  }
  return Uint8Array.from(bytes);
}

const UNRESERVED = /[A-Za-z0-9\-_.~]/;

/** Percent-encode all but RFC 3986's unreserved characters, in upper-case hex. */
export function percentEncode(text: string): string {
  return Array.from(utf8(text), (byte) => {
    const character = String.fromCharCode(byte);
    return UNRESERVED.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}
