import { expect, test } from "vitest";
import { yuan } from "./money";

test.each([
  [0, "¥0.00"],
  [5, "¥0.05"],
  [64280, "¥642.80"],
  [100000, "¥1,000.00"],
  [123456789, "¥1,234,567.89"],
  [-4580, "-¥45.80"],
])("%d fen", (fen, text) => expect(yuan(fen)).toBe(text));
