/** A signed call, mended where it can be: clock, nonce, session and network. Everything else is the caller's to show. */
import { ApiError } from "./errors";
import { mayRepeat, pause, type Call } from "./repeating";
import { read } from "./replies";
import { signed } from "./requests";
import * as sessions from "./session";
import { signedIn } from "./sign-in";
import { transport } from "./transport";

/** Throws ApiError; `unauthenticated` where the buyer must sign in, or went while it was under way. */
export async function call<T>(asked: Call): Promise<T> {
  const whose = sessions.whose();
  let renewed = false;
  let corrected = false;
  for (let attempt = 1; ;) {
    let held = await signedIn();
    try {
      const answer = await transport(() => {
        stillThere(whose);
        // While it waited for its turn the session may have been renewed, or the clock put right.
        held = sessions.session() ?? held;
        return signed(asked, held);
      });
      stillThere(whose);
      return read<T>(answer);
    } catch (problem) {
      stillThere(whose);
      if (!(problem instanceof ApiError)) throw problem;
      const { serverTime } = problem.details;
      // In the first two cases the server did nothing yet, so that anything may be asked again.
      if (problem.code === "timestamp_out_of_range" && serverTime !== undefined && !corrected) {
        corrected = true;
        sessions.correctClock(serverTime);
      } else if (problem.needsSignIn && !renewed) {
        renewed = true;
        sessions.discard(held);
      } else if (mayRepeat(asked, problem, attempt)) {
        await pause(problem, attempt++);
        stillThere(whose);
      } else throw problem;
    }
  }
}

/** An answer that another buyer asked for is nobody's. */
function stillThere(whose: number): void {
  if (whose !== sessions.whose()) throw new ApiError("unauthenticated", "");
}
