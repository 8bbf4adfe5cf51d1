import { expect, test } from "vitest";
import { holding, step } from "../../src/design/suggestions.ts";

const BEDS = [
  { value: "bed-1", text: "Ada Lovelace", detail: "ward-2" },
  { value: "bed-2", text: "Alan Turing", detail: "icu" },
];

test.each([
  ["", ["bed-1", "bed-2"]],
  ["AL", ["bed-2"]],
  ["bed", ["bed-1", "bed-2"]],
  ["bed icu", ["bed-2"]],
  ["love  ward", ["bed-1"]],
  ["nobody", []],
])("%j finds those that hold every word of it", (typed, found) => {
  expect(holding(BEDS, typed).map((it) => it.value)).toEqual(found);
});

test.each([
  ["ArrowDown", 0, 3, 1],
  ["ArrowDown", 2, 3, 0],
  ["ArrowUp", 0, 3, 2],
  ["ArrowDown", 0, 0, 0],
  ["PageDown", 0, 3, 2],
  ["PageDown", 0, 0, 0],
  ["PageUp", 9, 20, 1],
  ["PageUp", 2, 20, 0],
  ["x", 1, 3, undefined],
])("%s at %i of %i leads to %s", (key, at, count, next) => {
  expect(step(key, at, count)).toBe(next);
});
