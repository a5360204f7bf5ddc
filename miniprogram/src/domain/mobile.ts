/** Mainland mobile numbers and SMS codes, as people type and paste them. */
import { withoutBlanks } from "./typed";

export const CODE_DIGITS = 6;
const MOBILE = /^1[3-9]\d{9}$/;

export type PhoneProblem = "missing" | "short" | "long" | "not_mobile";
export type CodeProblem = "missing" | "not_six";

/** The digits alone, without +86 and what stands between them. */
export function cleanPhone(text: string): string {
  const plain = withoutBlanks(text).replace(/[().·-]/g, "");
  return plain.replace(/^(?:\+|00)86(?=1)/, "").replace(/^86(?=1\d{10}$)/, "");
}

/** Of a cleaned number. */
export function phoneProblem(phone: string): PhoneProblem | null {
  if (!phone) return "missing";
  if (MOBILE.test(phone)) return null;
  if (!/^1(?:[3-9]\d*)?$/.test(phone)) return "not_mobile";
  return phone.length < 11 ? "short" : "long";
}

/** As it is shown back to its owner: 138****1234. */
export function maskPhone(phone: string): string {
  return MOBILE.test(phone) ? `${phone.slice(0, 3)}****${phone.slice(-4)}` : "****";
}

/** A code may come with the whole message around it. */
export function cleanCode(text: string): string {
  const plain = withoutBlanks(text);
  if (/^\d*$/.test(plain)) return plain.slice(0, CODE_DIGITS);
  const alone = new RegExp(`(?:^|\\D)(\\d{${CODE_DIGITS}})(?!\\d)`).exec(plain);
  return alone ? alone[1]! : plain.replace(/\D/g, "").slice(0, CODE_DIGITS);
}

/** Of a cleaned code. */
export function codeProblem(code: string): CodeProblem | null {
  if (!code) return "missing";
  return code.length === CODE_DIGITS ? null : "not_six";
}
