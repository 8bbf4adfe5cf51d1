import { describe, expect, test } from "vitest";
import { addressOf, type Filter, filterFrom, questionOf } from "../../src/history/filter.ts";

const NOW = Date.parse("2026-01-31T12:00:00Z");

describe("a filter in an address", () => {
  test.each<Filter>([
    {},
    { patient: "bed 3/a&b" },
    { state: "open", tier: "critical", kind: "technical", since: "24h" },
    { since: "2026-01-30" },
  ])("%j comes back as it went in", (filter) => {
    const query = addressOf(filter).split("?")[1] ?? "";
    expect(filterFrom(new URLSearchParams(query))).toEqual(filter);
  });

  test("what makes no sense is left out", () => {
    const query = new URLSearchParams("state=dead&tier=x&kind=&since=yesterday&patient=&other=1");
    expect(filterFrom(query)).toEqual({});
  });

  test.each(["2026-13-01", "2026-1-1", "toString", "constructor"])("%s is no time to begin at", (since) => {
    expect(filterFrom(new URLSearchParams({ since }))).toEqual({});
  });

  test("the open alarm stands beside the filter", () => {
    expect(addressOf({ state: "open" }, "a1")).toBe("/history?state=open&alert=a1");
    expect(addressOf({})).toBe("/history");
  });
});

describe("what the API is asked", () => {
  test("nothing is narrowed by an empty filter", () => {
    expect(Object.values(questionOf({}, NOW)).filter((it) => it !== null)).toEqual([]);
  });

  test.each([
    ["1h", "2026-01-31T11:00:00.000Z"],
    ["24h", "2026-01-30T12:00:00.000Z"],
    ["7d", "2026-01-24T12:00:00.000Z"],
  ])("%s ends now", (since, start) => {
    expect(questionOf({ since }, NOW).since).toBe(start);
  });

  test("a day begins at midnight where the screen is", () => {
    const start = new Date(questionOf({ since: "2026-01-30" }, NOW).since ?? 0);
    expect([start.getDate(), start.getHours(), start.getMinutes()]).toEqual([30, 0, 0]);
  });
});
