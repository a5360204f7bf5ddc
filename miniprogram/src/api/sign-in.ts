/** How a session comes about: by the platform, which knows who is there, or by a phone and its SMS code; and its end. */
import { platform } from "@/platform";
import { ApiError } from "./errors";
import { callAs, callOpenly, repeated } from "./repeating";
import * as sessions from "./session";
import { store, stored, unstore } from "./storage";
import type { Login } from "./types";

/** Whoever signed out stays out until he signs in by a tap, though the platform would let him in. */
const OUT = "signed-out";
const CODE_MS = 10_000;

let underWay: { whose: number; session: Promise<sessions.Session> } | null = null;

/** The session, or a new one where the platform knows who is there; once for all who ask at the same time. */
export async function signedIn(): Promise<sessions.Session> {
  const held = sessions.session();
  if (held) return held;
  if (stored(OUT)) throw new ApiError("unauthenticated", "");
  const whose = sessions.whose();
  if (underWay?.whose !== whose) {
    const session = silently(whose).finally(() => {
      if (underWay?.session === session) underWay = null;
    });
    underWay = { whose, session };
  }
  return underWay.session;
}

/** By a tap, where the platform knows who is there. Throws ApiError. */
export async function signIn(): Promise<void> {
  unstore(OUT);
  await signedIn();
}

export async function signInByPhone(phone: string, smsCode: string): Promise<void> {
  const body = { phone, sms_code: smsCode };
  const login = await callOpenly<Login>({ method: "POST", path: ["auth", "login"], body });
  unstore(OUT);
  sessions.begin(login);
}

/** Never fails: on this phone it is done at once, and the server is told as far as it can be reached. */
export async function signOut(): Promise<void> {
  const held = sessions.session();
  sessions.end();
  store(OUT, true);
  if (!held) return;
  try {
    await callAs<null>(held, { method: "POST", path: ["auth", "logout"], repeatable: true });
  } catch {
    // The session ends by itself; nobody has its secret any more.
  }
}

/** Each attempt with a code of its own, since a code is good once. */
async function silently(whose: number): Promise<sessions.Session> {
  const login = await repeated({ method: "POST", repeatable: true }, async () => {
    const body = { code: await loginCode() };
    return callOpenly<Login>({ method: "POST", path: ["auth", "login"], body });
  });
  // Meanwhile he signed out, or another said who he is.
  if (whose !== sessions.whose()) throw new ApiError("unauthenticated", "");
  return sessions.keep(login);
}

async function loginCode(): Promise<string> {
  const silence = new Promise<null>((go) => setTimeout(() => go(null), CODE_MS));
  const code = await Promise.race([platform.loginCode().catch(() => null), silence]);
  if (code) return code;
  const online = await platform.online().catch(() => true);
  throw new ApiError(online ? "unauthenticated" : "offline", "");
}
