/** What people type, paste and scan, in the one form that programs compare. */

const WIDE = /[\uff01-\uff5e]/g;
/** Blanks of every width, and what can't be seen but comes along when text is copied. */
const BLANKS = /[\s\u00a0\u00ad\u200b-\u200f\u202a-\u202e\u2060\u3000\ufeff]+/g;

/** Full-width letters, digits and signs as ASCII; the length stays. */
export function halfWidth(text: string): string {
  return text
    .replace(WIDE, (character) => String.fromCharCode(character.charCodeAt(0) - 0xfee0))
    .replace(/[‐‑‒–—―−]/g, "-");
}

export function withoutBlanks(text: string): string {
  return halfWidth(text).replace(BLANKS, "");
}

/** Every stretch of blanks as one plain blank. */
export function withPlainBlanks(text: string): string {
  return halfWidth(text).replace(BLANKS, " ").trim();
}
