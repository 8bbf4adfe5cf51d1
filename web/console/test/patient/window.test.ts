import { describe, expect, it } from "vitest";
import { fixed, moved, renewsEveryMs, SPANS, stretchOf } from "../../src/patient/trends/window.ts";

const NOW = 1_700_000_000_000;
const MINUTE = 60_000;
const live = { kind: "live", span: "1h" } as const;

describe("the stretch of the trends", () => {
  it.each([
    ["closer", 15, 45],
    ["wider", -60, 60],
    ["earlier", -30, 30],
    ["later", 0, 60],
  ] as const)("goes %s by one step, though not into the future", (how, from, to) => {
    const { since, until } = stretchOf(moved(live, how, NOW), NOW);
    const began = NOW - 60 * MINUTE;
    expect([(since - began) / MINUTE, (until - began) / MINUTE]).toEqual([from, to]);
  });

  it("never ends in the future", () => {
    for (const how of ["closer", "wider", "earlier", "later"] as const) {
      let window = moved(live, how, NOW);
      for (let n = 0; n < 30; n++) window = moved(window, how, NOW);
      const { since, until } = stretchOf(window, NOW);
      expect(until).toBeLessThanOrEqual(NOW);
      expect(until - since).toBeGreaterThanOrEqual(2 * MINUTE);
      expect(until - since).toBeLessThanOrEqual(31 * 24 * 60 * MINUTE);
    }
  });

  it("is at least as long as makes sense, around what was chosen", () => {
    const window = fixed(NOW - 10 * MINUTE, NOW - 10 * MINUTE + 2000, NOW);
    const { since, until } = stretchOf(window, NOW);
    expect(until - since).toBe(2 * MINUTE);
    expect((since + until) / 2).toBe(NOW - 10 * MINUTE + 1000);
  });

  it("is asked for again only while it goes on", () => {
    for (const span of SPANS) expect(renewsEveryMs({ kind: "live", span })).toBeGreaterThanOrEqual(10_000);
    expect(renewsEveryMs(fixed(NOW - 60 * MINUTE, NOW, NOW))).toBe(false);
  });
});
