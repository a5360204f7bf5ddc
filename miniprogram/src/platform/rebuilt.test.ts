import { afterEach, expect, it, vi } from "vitest";
import { followBuild } from "./rebuilt";

const PAGE = (entry: string) => `<script type="module" crossorigin src="${entry}"></script>`;
const OURS = "/m/assets/index-old.js";

/** How often the window begins anew, when a part is missing and the server answers so. */
async function reloads(answer: () => Promise<{ ok: boolean; text: () => Promise<string> }>): Promise<number> {
  const heard: Record<string, () => void> = {};
  const reload = vi.fn();
  vi.stubGlobal("window", { addEventListener: (name: string, act: () => void) => (heard[name] = act) });
  vi.stubGlobal("document", { querySelector: () => ({ getAttribute: () => OURS }) });
  vi.stubGlobal("location", { pathname: "/m/", reload });
  vi.stubGlobal("fetch", answer);
  followBuild();
  heard["vite:preloadError"]!();
  await new Promise((go) => setTimeout(go));
  return reload.mock.calls.length;
}

const says = (text: string, ok = true) => Promise.resolve({ ok, text: () => Promise.resolve(text) });

afterEach(() => void vi.unstubAllGlobals());

it("begins anew where there is another build", async () => {
  expect(await reloads(() => says(PAGE("/m/assets/index-new.js")))).toBe(1);
});

it("stays where the build is the same, away, or out of reach", async () => {
  expect(await reloads(() => says(PAGE(OURS)))).toBe(0);
  expect(await reloads(() => says("building", false))).toBe(0);
  expect(await reloads(() => Promise.reject(new Error("no network")))).toBe(0);
});
