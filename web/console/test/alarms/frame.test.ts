// @vitest-environment happy-dom
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const css = (path: string) => readFileSync(join(import.meta.dirname, "../../src", path), "utf8");
const LOOK = css("alarms/look.css");

/** The parts of the page that an alarm frames, and the classes that they have then. */
const FRAMED = [
  { part: "a tile", sheet: css("ward/Tile.module.css"), classes: "tile framed" },
  { part: "a number", sheet: css("vitals/NumberGrid.module.css"), classes: "cell alarmed" },
];

function frameOf(sheets: string[], classes: string, state: string): string {
  document.head.innerHTML = [":root { --low-fill: #123456; }", ...sheets].map((it) => `<style>${it}</style>`).join("");
  document.body.innerHTML = `<div class="${classes} alarm-frame" data-look="low" data-state="${state}"></div>`;
  const { borderTopColor, borderTopStyle } = getComputedStyle(document.body.firstElementChild as Element);
  return `${borderTopStyle} ${borderTopColor}`;
}

describe.each(FRAMED)("the frame of $part", ({ sheet, classes }) => {
  it.each(["active", "acknowledged"])("has the colour of an alarm that is %s, whichever sheet comes first", (state) => {
    expect(frameOf([LOOK, sheet], classes, state)).toBe("solid #123456");
    expect(frameOf([sheet, LOOK], classes, state)).toBe("solid #123456");
  });
});
