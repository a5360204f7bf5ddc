/** What WeChat may tell the buyer: asked by a tap, told to the server until it has heard.
 *
 *     state.advised = await consents.advised(orderNo);   // ahead of the tap: a button stands where it isn't empty
 *     @tap → const allowed = await consents.ask(state.advised);   // nothing awaited in the handler before it
 *
 * Without an order number it is about the order that was just paid. Where consents can't be asked, or are refused,
 * everything else works as it did.
 */
import { api } from "@/api";
import { ApiError } from "@/api/errors";
import * as sessions from "@/api/session";
import { buyersOwn, store, stored } from "@/api/storage";
import type { AdvisedTemplate, Grant } from "@/api/types";
import { platform } from "@/platform";

interface Unreported {
  /** Names the dialog: told twice, it counts once. */
  id: string;
  grants: Grant[];
}

const KEY = buyersOwn("grants");
const AT_ONCE = 3;
const MOST_UNREPORTED = 20;
/** WeChat's words that the server knows; a word of tomorrow isn't told. */
const ANSWERS = ["accept", "acceptWithAudio", "reject", "ban", "filter"];
const ACCEPTED = ["accept", "acceptWithAudio"];

let unreported: Unreported[] | null = null;
let reporting: Promise<void> | null = null;
let whose = sessions.whose();

sessions.watch(() => {
  if (whose === sessions.whose()) return;
  whose = sessions.whose();
  unreported = null;
  reporting = null;
});

export const consents = {
  /** What is worth asking for now; nothing where it can't be asked. What wasn't told yet is told. Throws ApiError. */
  async advised(orderNo = ""): Promise<AdvisedTemplate[]> {
    if (!platform.canAskConsents) return [];
    void consents.report();
    return (await api.advice(orderNo || undefined)).results;
  },

  /** Straight from a tap: the dialog is asked for before this returns its promise. Whether at least one was allowed;
   * never fails. */
  ask(templates: readonly AdvisedTemplate[]): Promise<boolean> {
    const ids = templates.slice(0, AT_ONCE).map((one) => one.template_id);
    if (!platform.canAskConsents || ids.length === 0) return Promise.resolve(false);
    return answered(asking(ids));
  },

  /** Tell the server what it hasn't heard yet; once for all who ask at the same time. Never fails. */
  report(): Promise<void> {
    if (reporting) return reporting;
    const mine = reportAll().finally(() => {
      if (reporting === mine) reporting = null;
    });
    reporting = mine;
    return mine;
  },
};

function asking(ids: string[]): Promise<Record<string, string>> {
  try {
    return platform.askConsents(ids).catch(() => ({}));
  } catch {
    return Promise.resolve({});
  }
}

async function answered(dialog: Promise<Record<string, string>>): Promise<boolean> {
  const asked = whose;
  const grants = Object.entries(await dialog)
    .filter(([, result]) => ANSWERS.includes(result))
    .map(([template_id, result]) => ({ template_id, result }));
  if (grants.length === 0 || asked !== whose) return false;
  keep([...left(), { id: newId(), grants }].slice(-MOST_UNREPORTED));
  // Not waited for: what the buyer chose holds, whenever the server hears of it.
  void consents.report();
  return grants.some(({ result }) => ACCEPTED.includes(result));
}

async function reportAll(): Promise<void> {
  for (let next = left()[0]; next; next = left()[0]) {
    const { id, grants } = next;
    try {
      await api.grant(grants, id);
    } catch (problem) {
      // What the server will never take is given up; the rest is told another time, unless its buyer went.
      const waits = !(problem instanceof ApiError) || problem.passing || problem.needsSignIn;
      if (waits) return;
    }
    keep(left().filter((one) => one.id !== id));
  }
}

function left(): Unreported[] {
  if (unreported === null) {
    const found = stored<Unreported[]>(KEY);
    unreported = Array.isArray(found) ? found.filter((one) => one?.id && Array.isArray(one.grants)) : [];
  }
  return unreported;
}

function keep(rest: Unreported[]): void {
  unreported = rest;
  store(KEY, rest);
}

function newId(): string {
  const random = Math.random().toString(36).slice(2, 12);
  return `${Date.now().toString(36)}-${random}`;
}
