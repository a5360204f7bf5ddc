/** In a browser: who signs in or out in one window does so in all of them, since they share what is stored. */
import * as sessions from "@/api/session";

export function followOtherWindows(): void {
  // `key` is null where all was cleared.
  window.addEventListener("storage", ({ key }) => {
    if (key === null || key === sessions.KEY) sessions.follow();
  });
}
