/** The numbers in what was scanned, pasted or typed, the likeliest first: each is worth one question to the server.
 *
 * The server compares byte by byte, so a number is asked for as it stands, and in capitals where that differs: carriers
 * write their numbers so, while an order number may hold small letters. */
import { halfWidth, withoutBlanks, withPlainBlanks } from "./typed";

/** More than that is a guess, and costs the buyer time. */
export const MOST_CANDIDATES = 4;

/** As much as the field takes: no label says more, and a link may hold anything. */
export const LONGEST = 500;

const NUMBER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const TOKEN = /[A-Za-z0-9][A-Za-z0-9._-]{4,63}/g;
/** How parameters that hold a number are called by carriers, and by us. */
const NAMED =
  /(?:waybill|mail|bill|logistics|express|tracking|parcel|order|postid)[_-]?(?:no|num|number|code|id)?|^(?:no|num|nu|k5)$/i;
const LEADING_WORDS = /^[^A-Za-z0-9]*(?:[\u3400-\u9fff]+[^A-Za-z0-9]*)+/;
/** 京东 prints parcel, count and station behind the number: JDVA00123456789-1-2-. */
const JD_PARCEL = /^(JD[A-Z0-9]+)-\d+-\d+-?\w*$/i;
const CARRIERS_OWN = /^(?:SF|JD|JT|YT|ZTO|STO|YD|YZ|DPK|EMS|KY|CN|LP)[A-Z0-9]*\d{9,}$/i;
const POSTAL = /^[A-Z]{2}\d{9}[A-Z]{2}$/i;

export function candidates(text: string): string[] {
  const plain = withPlainBlanks(text.slice(0, LONGEST));
  const told = plain.replace(LEADING_WORDS, "").replace(/[,;.:，；。：]+$/, "");
  const whole = withoutBlanks(told);
  const found = NUMBER.test(whole) && isOne(told) ? [whole] : inside(plain);
  return [...new Set(found.flatMap(forms))].slice(0, MOST_CANDIDATES);
}

/** Whether what stands between blanks is one number in groups: not words, and not several long numbers. */
function isOne(told: string): boolean {
  const parts = told.split(" ");
  const long = parts.filter((part) => part.length >= 9 && /\d{5,}/.test(part));
  if (parts.length === 1) return true;
  return long.length <= 1 && parts.every((part) => /\d/.test(part) || /^[A-Za-z]{1,4}$/.test(part));
}

function forms(number: string): string[] {
  const parcel = JD_PARCEL.exec(number);
  const base = parcel ? [parcel[1]!] : [];
  return [...base, number].flatMap((one) => [one, one.toUpperCase()]);
}

function inside(plain: string): string[] {
  const text = unescaped(plain);
  const named = pairs(text)
    .filter(([name, value]) => NAMED.test(name) && NUMBER.test(value) && /\d/.test(value))
    .map(([, value]) => value);
  const tokens = (text.replace(/^\w+:\/\/[^/?#]*/, " ").match(TOKEN) ?? [])
    .map((token) => token.replace(/[._-]+$/, ""))
    .filter((token) => /\d{4,}/.test(token) && !/\.(?:html?|php|aspx?|jsp|do)$/i.test(token));
  return [...named, ...tokens.sort((a, b) => likelihood(b) - likelihood(a))];
}

/** name=value of an address, 'name':'value' of a label. */
function pairs(text: string): [string, string][] {
  const found: [string, string][] = [];
  const pair = /['"]?([A-Za-z][\w-]*)['"]?\s*[=:]\s*['"]?([A-Za-z0-9._-]+)/g;
  for (let match = pair.exec(text); match; match = pair.exec(text)) found.push([match[1]!, match[2]!]);
  return found;
}

function likelihood(token: string): number {
  if (CARRIERS_OWN.test(token) || POSTAL.test(token)) return 4;
  if (/^\d{12,20}$/.test(token)) return 3;
  if (/^[A-Z]{1,6}\d{8,}$/i.test(token)) return 2;
  return /^\d{10,}$/.test(token) && !/^1[3-9]\d{9}$/.test(token) ? 1 : 0;
}

/** Percent escapes of ASCII; the rest can't be part of a number. */
function unescaped(text: string): string {
  return halfWidth(
    text.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
  );
}
