/** What may be asked again after trouble, and when. */
import { ApiError } from "./errors";
import { read } from "./replies";
import { plain, signed, type Request } from "./requests";
import type { Session } from "./session";
import { transport } from "./transport";

export const TRIES = 3;
/** Longest wait that is worth a buyer's patience; a longer one is told instead. */
export const LONGEST_WAIT_S = 3;
const FIRST_PAUSE_MS = 400;

export interface Call extends Request {
  /** Whether a repeat does no harm where the first answer was lost. A GET never does any. */
  repeatable?: boolean;
}

/** A nonce that was used means that the first request may have done its work, as a lost answer does. */
export function mayRepeat(
  asked: Pick<Call, "method" | "repeatable">,
  problem: ApiError,
  attempt: number,
): boolean {
  const harmless = asked.method === "GET" || asked.repeatable === true;
  const mends = problem.code === "nonce_reused" || (problem.passing && problem.code !== "offline");
  const soon = (problem.details.retryAfter ?? 0) <= LONGEST_WAIT_S;
  return harmless && mends && soon && attempt < TRIES;
}

/** Twice as long each time, spread so that many phones don't come back at once. */
export function pause(problem: ApiError, attempt: number): Promise<void> {
  const least = (problem.details.retryAfter ?? 0) * 1000;
  const spread = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random());
  return new Promise((go) => setTimeout(go, least + spread));
}

/** A call that carries no session: signing in, the shop. */
export function callOpenly<T>(asked: Call): Promise<T> {
  return repeated(asked, async () => read<T>(await transport(() => plain(asked))));
}

/** A call of this session and no other, which isn't renewed. */
export function callAs<T>(held: Session, asked: Call): Promise<T> {
  return repeated(asked, async () => read<T>(await transport(() => signed(asked, held))));
}

export async function repeated<T>(
  asked: Pick<Call, "method" | "repeatable">,
  act: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (problem) {
      if (!(problem instanceof ApiError) || !mayRepeat(asked, problem, attempt)) throw problem;
      await pause(problem, attempt);
    }
  }
}
