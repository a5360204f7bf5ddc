/** A word that no page says is a word that somebody keeps translating. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { zh } from "@/i18n/zh";

/** Taken by a value of the API, or of the page's own logic. */
const BY_VALUE = [
  "orderStatus",
  "shipmentStatus",
  "trouble",
  "tabs",
  "next",
  "alerts",
  "basis",
  "temperature",
  "stepStates",
  "phoneProblems",
  "codeProblems",
  "topics",
];

/** Names that a source takes from something, as `words.name` or `const { name } = words`. */
function taken(): Set<string> {
  const root = new URL("../src/", import.meta.url);
  const names = (readdirSync(root, { recursive: true }) as string[]).filter(
    (name) => /\.(ts|vue)$/.test(name) && !/\.test\.|^i18n.(zh|en)\b|schema\.d/.test(name),
  );
  const texts = names.map((name) => readFileSync(new URL(name, root), "utf-8").replace(/<style[^]*/, ""));
  return new Set(texts.flatMap((text) => text.match(/(?:\.|[{,]\s*)[A-Za-z]\w*/g) ?? []).map(bare));
}

const bare = (found: string) => found.replace(/^[^A-Za-z]+/, "");

function namesOf(words: object): string[] {
  return Object.entries(words).flatMap(([name, word]) =>
    typeof word !== "object" || Array.isArray(word) || BY_VALUE.includes(name)
      ? [name]
      : [name, ...namesOf(word as object)],
  );
}

it("each word stands on a page", () => {
  const said = taken();
  expect(namesOf(zh).filter((name) => !said.has(name))).toEqual([]);
});
