/** The question whether the buyer agrees to the guide to privacy, where the platform demands it before it hands out
 * something personal. One question at a time: who asks meanwhile gets the same answer. */
import { reactive } from "vue";
import { platform } from "@/platform";

const state = reactive({ asking: false, guide: "" });
let waiting: ((agreed: boolean) => void)[] = [];

async function ask(): Promise<boolean> {
  const answer = new Promise<boolean>((go) => waiting.push(go));
  if (waiting.length === 1) {
    state.guide = (await platform.privacy()).guide;
    state.asking = waiting.length > 0;
  }
  return answer;
}

export const privacy = {
  state,
  /** Once, as the program starts. */
  attend(): void {
    platform.onPrivacyNeeded(ask);
  },
  ask,
  answer(agreed: boolean): void {
    const asked = waiting;
    waiting = [];
    state.asking = false;
    asked.forEach((go) => go(agreed));
  },
};
