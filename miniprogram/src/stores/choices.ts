/** Which messages the buyer doesn't want. A tap shows at once and is saved behind it, one save after the other; what
 * can't be saved goes back to what the server holds. */
import { reactive } from "vue";
import { api } from "@/api";
import type { OptOuts } from "@/api/types";

export interface Keeper {
  optOuts(): Promise<OptOuts>;
  setOptOuts(topics: string[]): Promise<OptOuts>;
}

export function choices(keeper: Keeper) {
  const state = reactive({
    topics: [] as OptOuts["topics"],
    optOuts: [] as string[],
    loaded: false,
    loading: false,
    problem: null as unknown,
    saveProblem: null as unknown,
  });
  let held: string[] = [];
  let saving = false;
  let epoch = 0;

  async function load(): Promise<void> {
    if (state.loading) return;
    const mine = epoch;
    state.loading = true;
    state.problem = null;
    try {
      const told = await keeper.optOuts();
      if (mine === epoch) take(told);
    } catch (problem) {
      if (mine === epoch) state.problem = problem;
    } finally {
      if (mine === epoch) state.loading = false;
    }
  }

  function take(told: OptOuts): void {
    held = told.opt_outs;
    Object.assign(state, { topics: told.topics, optOuts: [...held], loaded: true });
  }

  async function toggle(topic: string): Promise<void> {
    const out = state.optOuts.includes(topic);
    state.optOuts = out ? state.optOuts.filter((one) => one !== topic) : [...state.optOuts, topic];
    state.saveProblem = null;
    if (!saving) await save();
  }

  /** Until what is shown is what the server holds. */
  async function save(): Promise<void> {
    const mine = epoch;
    saving = true;
    try {
      while (mine === epoch && !same(state.optOuts, held)) {
        const wanted = [...state.optOuts];
        await keeper.setOptOuts(wanted);
        held = wanted;
      }
    } catch (problem) {
      if (mine === epoch) Object.assign(state, { optOuts: [...held], saveProblem: problem });
    } finally {
      if (mine === epoch) saving = false;
    }
  }

  /** Nothing of the former buyer stays. */
  function reset(): void {
    epoch++;
    held = [];
    saving = false;
    Object.assign(state, {
      topics: [],
      optOuts: [],
      loaded: false,
      loading: false,
      problem: null,
      saveProblem: null,
    });
  }

  return { state, load, toggle, reset };
}

function same(one: string[], other: string[]): boolean {
  return one.length === other.length && one.every((topic) => other.includes(topic));
}

export const wanted = choices(api);
