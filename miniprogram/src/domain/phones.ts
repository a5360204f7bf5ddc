/** Telephone numbers in what carriers write, so that they can be called by a tap. Without lookbehind, which the
 * JavaScript of older iPhones can't read. */

export interface Piece {
  text: string;
  /** What is dialled; absent where the piece is only text. */
  phone?: string;
}

// An extension follows as 转123 or -123; a private number's stands after a mobile one.
const EXTENSION = "(?:[ ]?(?:转|分机|ext\\.?|#|,|-)[ ]?(\\d{1,6}))?";
const NUMBER = new RegExp(
  [
    `(?:(?:\\+|00)86[ -]?)?(1[3-9]\\d[ -]?\\d{4}[ -]?\\d{4})${EXTENSION}`,
    `(\\(0\\d{2,3}\\)[ -]?\\d{7,8}|0(?:10|2\\d)[ -]?\\d{8}|0[3-9]\\d{2}[ -]?\\d{7,8})${EXTENSION}`,
    `([48]00[ -]?\\d{3}[ -]?\\d{4}|[48]00[ -]?\\d{4}[ -]?\\d{3})${EXTENSION}`,
    "(95\\d{3,4}|9510\\d{4}|111(?:83|85))",
  ].join("|"),
  "i",
);
/** A number that is told to be something else isn't called. */
const NO_PHONE = /(?:单号|运单|订单|编号|取[件货]码|提货码|验证码|密码)(?:为|是)?[:： 【[]*$/;
const STUCK = /[0-9A-Za-z*＊]/;

/** The text in pieces that make it up again. */
export function withPhones(text: string): Piece[] {
  const pieces: Piece[] = [];
  const plain = halfWidth(text);
  let told = 0;
  for (const [start, end, phone] of numbersIn(plain)) {
    if (start > told) pieces.push({ text: text.slice(told, start) });
    pieces.push({ text: text.slice(start, end), phone });
    told = end;
  }
  if (told < text.length) pieces.push({ text: text.slice(told) });
  return pieces;
}

export function phonesIn(text: string): string[] {
  return numbersIn(halfWidth(text)).map(([, , phone]) => phone);
}

function numbersIn(text: string): [number, number, string][] {
  const found: [number, number, string][] = [];
  for (let from = 0; from < text.length;) {
    const match = NUMBER.exec(text.slice(from));
    if (!match) break;
    const start = from + match.index;
    const taken = fitting(text, start, match);
    if (taken) {
      found.push([start, taken.end, taken.phone]);
      from = taken.end;
    } else from = start + /^(?:[0-9]+|.)/.exec(text.slice(start))![0].length;
  }
  return found;
}

/** The number at its longest that stands alone: with its extension, else without. */
function fitting(text: string, start: number, match: RegExpExecArray): { end: number; phone: string } | null {
  if (STUCK.test(text.charAt(start - 1)) || NO_PHONE.test(text.slice(0, start))) return null;
  if (/[-.]/.test(text.charAt(start - 1)) && STUCK.test(text.charAt(start - 2))) return null;
  const [whole, mobile, extensionA, landline, extensionB, service, extensionC, short] = match;
  const number = (mobile ?? landline ?? service ?? short)!;
  const extension = extensionA ?? extensionB ?? extensionC;
  const dialled = number.replace(/[^0-9]/g, "");
  const bare = start + whole.indexOf(number) + number.length;
  const stands = (end: number) => !STUCK.test(text.charAt(end));
  if (extension && stands(start + whole.length))
    return { end: start + whole.length, phone: `${dialled},${extension}` };
  return stands(bare) ? { end: bare, phone: dialled } : null;
}

/** The same length, so that places in it are places in the text; a wide comma stays, since it begins no extension. */
function halfWidth(text: string): string {
  return text.replace(/[０-９＋－（）　]/g, (character) =>
    character === "　" ? " " : String.fromCharCode(character.charCodeAt(0) - 0xfee0),
  );
}
