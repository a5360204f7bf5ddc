/** Who is signed in, kept on the phone; and how far its clock is off. */
import { buyersOwn, store, stored, unstore, unstoreBuyers } from "./storage";
import type { Login } from "./types";

export const KEY = buyersOwn("session");
/** Where the API is; empty in the browser, where it is the page's own host. */
export const API: string = (import.meta.env.VITE_API_URL ?? "").replace(/\/+$/, "");

export interface Session {
  token: string;
  secret: string;
  /** Unix milliseconds by the phone's clock. */
  endsAt: number;
  /** Seconds to add to the phone's clock to have the server's. */
  clockOffset: number;
  /** The address that gave it: no other one is shown the token. */
  api: string;
}

/** `buyer` counts the buyers that were there: an answer that was asked for by another one is nobody's. */
let current: Session | null | undefined;
let buyer = 0;
const watchers = new Set<() => void>();

export function session(): Session | null {
  if (current === undefined) current = read();
  return current && current.endsAt > Date.now() ? current : null;
}

/** Which buyer it is, as a number that changes when he goes. */
export function whose(): number {
  return buyer;
}

/** Keep the session of the same buyer as before, or of the first one. */
export function keep(login: Login): Session {
  const now = Date.now();
  return put({
    token: login.token,
    secret: login.sign_secret,
    endsAt: now + login.expires_in * 1000,
    clockOffset: offsetTo(login.server_time),
    api: API,
  });
}

/** Keep the session of one who said who he is: nothing of whoever was there before stays. */
export function begin(login: Login): Session {
  end();
  return keep(login);
}

/** The buyer goes, and with him everything that is his. */
export function end(): void {
  buyer++;
  current = null;
  unstoreBuyers();
  changed();
}

/** This session is of no use any more; what the buyer saw stays. Does nothing where there is a newer one. */
export function discard(spent: Session): void {
  if (current?.token !== spent.token) return;
  current = null;
  unstore(KEY);
  changed();
}

/** Another window changed who is signed in: what is kept now holds here, too, and nothing of the former buyer stays. */
export function follow(): void {
  const kept = read();
  if (current === undefined || kept?.token === current?.token) return;
  buyer++;
  current = kept;
  changed();
}

export function correctClock(serverTime: number): void {
  const held = session();
  if (held) put({ ...held, clockOffset: offsetTo(serverTime) });
}

/** Unix seconds by the server's clock. */
export function serverNow(held: Session): number {
  return Math.floor(Date.now() / 1000) + held.clockOffset;
}

/** Unix milliseconds by the server's clock, as far as it is known. */
export function now(): number {
  return Date.now() + (session()?.clockOffset ?? 0) * 1000;
}

/** Call `watcher` whenever a session begins, is renewed or ends. Returns what stops that. */
export function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => void watchers.delete(watcher);
}

function read(): Session | null {
  const held = stored<Partial<Session>>(KEY);
  if (!held) return null;
  const whole =
    typeof held.token === "string" &&
    /^[0-9a-f]{64}$/.test(held.secret ?? "") &&
    typeof held.endsAt === "number" &&
    Number.isSafeInteger(held.clockOffset);
  if (whole && held.api === API) return held as Session;
  unstoreBuyers();
  return null;
}

function offsetTo(serverTime: number): number {
  return serverTime - Math.floor(Date.now() / 1000);
}

function put(held: Session): Session {
  current = held;
  store(KEY, held);
  changed();
  return held;
}

function changed(): void {
  for (const watcher of [...watchers]) watcher();
}
