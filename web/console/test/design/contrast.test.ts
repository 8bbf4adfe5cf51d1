/** What base.css promises: texts of 4.5 : 1 on their grounds, and borders of controls of 3 : 1 (WCAG 2.2, 1.4.3 and 1.4.11). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const css = readFileSync(new URL("../../src/design/base.css", import.meta.url), "utf-8");

/** The value of a variable in a theme, as #rrggbb. */
function colour(name: string, theme: "light" | "dark"): string {
  const [, value = ""] = css.match(new RegExp(`--${name}: ([^;]+);`)) ?? [];
  const both = value.match(/#[0-9a-f]{6}/g) ?? [];
  const found = theme === "light" ? both[0] : both.at(-1);
  if (!found) throw new Error(`base.css has no colour --${name}`);
  return found;
}

/** Relative luminance (WCAG 2.2). */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const GROUNDS = ["ground", "panel", "panel-2"];
const TEXTS = ["ink", "ink-2", "accent", "good", "wrong", "high-ink", "medium-ink", "low-ink"];
const CURVES = ["ecg", "pleth", "resp", "pressure", "temperature"];
const FILLED = [
  ["on-accent", "accent"],
  ["on-high-fill", "high-fill"],
  ["on-medium-fill", "medium-fill"],
  ["on-low-fill", "low-fill"],
] as const;

test("black on white is 21 : 1", () => expect(contrast("#000000", "#ffffff")).toBeCloseTo(21));

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  const pairs = [
    ...[...TEXTS, ...CURVES].flatMap((text) => GROUNDS.map((ground) => [text, ground] as const)),
    ...FILLED,
  ];
  test.each(pairs)("--%s can be read on --%s", (text, ground) => {
    expect(contrast(colour(text, theme), colour(ground, theme))).toBeGreaterThanOrEqual(4.5);
  });
  test.each(GROUNDS)("the border of a control stands out from --%s", (ground) => {
    expect(contrast(colour("ink-2", theme), colour(ground, theme))).toBeGreaterThanOrEqual(3);
  });
});

test("every colour of the sheet is among those that are looked at, or one that carries no text", () => {
  const named = [...css.matchAll(/^ {2}--([\w-]+): (?:light-dark\(#|#)/gm)].map(([, name]) => name);
  const known = new Set<string | undefined>([...GROUNDS, ...TEXTS, ...CURVES, ...FILLED.flat(), "line"]);
  expect(named.filter((name) => !known.has(name))).toEqual([]);
});
