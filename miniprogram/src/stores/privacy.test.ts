import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { platform } from "@/platform";
import { privacy } from "./privacy";

const settled = async () => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

beforeEach(() => {
  vi.spyOn(platform, "privacy").mockResolvedValue({ needed: true, guide: "《指引》" });
});
afterEach(() => {
  privacy.answer(false);
  vi.restoreAllMocks();
});

it("asks once for all who want something meanwhile, and tells each the answer", async () => {
  const one = privacy.ask();
  const other = privacy.ask();
  await settled();
  expect(privacy.state).toMatchObject({ asking: true, guide: "《指引》" });
  expect(platform.privacy).toHaveBeenCalledTimes(1);
  privacy.answer(true);
  expect(await Promise.all([one, other])).toEqual([true, true]);
  expect(privacy.state.asking).toBe(false);
});

it("asks again after a refusal, and keeps no answer for the next", async () => {
  const first = privacy.ask();
  await settled();
  privacy.answer(false);
  expect(await first).toBe(false);
  const second = privacy.ask();
  await settled();
  expect(privacy.state.asking).toBe(true);
  privacy.answer(true);
  expect(await second).toBe(true);
});

it("attends to the platform's own questions", async () => {
  let ask: (() => Promise<boolean>) | undefined;
  vi.spyOn(platform, "onPrivacyNeeded").mockImplementation((given) => void (ask = given));
  privacy.attend();
  const answer = ask!();
  await settled();
  privacy.answer(true);
  expect(await answer).toBe(true);
});
