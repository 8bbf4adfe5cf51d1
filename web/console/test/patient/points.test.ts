import { describe, expect, it } from "vitest";
import { type AnySeries, alone, columnsOf, stretchesOf, tabulate } from "../../src/patient/trends/points.ts";

const T0 = Date.parse("2026-01-02T03:00:00Z");
const iso = (seconds: number) => new Date(T0 + seconds * 1000).toISOString();
const raw = (...readings: [number, number | string][]): AnySeries => ({
  resolution: "raw",
  patientId: "p",
  type: "heart_rate",
  unit: "/min",
  timestamps: readings.map(([at]) => iso(at)),
  values: readings.map(([, value]) => value),
  truncated: false,
});
const buckets = (seconds: number, means: (number | null)[]): AnySeries => ({
  resolution: "buckets",
  patientId: "p",
  type: "heart_rate",
  unit: "/min",
  bucketSeconds: seconds,
  timestamps: means.map((_, i) => iso(i * seconds)),
  min: means.map((it) => it && it - 5),
  mean: means,
  max: means.map((it) => it && it + 5),
  count: means.map((it) => (it === null ? 0 : 3)),
});
const times = (series: AnySeries, validMs: number) =>
  stretchesOf(series, validMs).map((stretch) => stretch.map(({ time }) => (time - T0) / 1000));

describe("a trend", () => {
  it("joins readings that lie no farther apart than one holds, and nothing else", () => {
    expect(times(raw([0, 70], [10, 71], [40, 72], [71, 73]), 30_000)).toEqual([[0, 10, 40], [71]]);
  });

  it("joins neighbouring buckets however wide they are, and leaves a gap where one is empty", () => {
    expect(times(buckets(300, [70, 71, null, 72]), 30_000)).toEqual([[150, 450], [1050]]);
  });

  it("does not take an empty bucket between two cuffs for a gap", () => {
    expect(times(buckets(170, [120, null, 121, null, 119]), 600_000)).toEqual([[85, 425, 765]]);
  });

  it("leaves out what is no number", () => {
    expect(times(raw([0, "A"], [5, 70]), 30_000)).toEqual([[5]]);
  });
});

describe("the columns of a chart", () => {
  it("end the line of a sign in its gap, and only that line", () => {
    const one = stretchesOf(raw([0, 70], [100, 72]), 30_000);
    const other = stretchesOf(raw([0, 50], [20, 51], [45, 52], [70, 53], [100, 54]), 30_000);
    const [time, mean, high, low, otherMean] = columnsOf([one, other]);
    expect(time.map((it) => it - T0 / 1000)).toEqual([0, 20, 45, 50, 70, 100]);
    expect(mean).toEqual([70, undefined, undefined, null, undefined, 72]);
    expect(high?.[3]).toBeNull();
    expect(low?.[3]).toBeNull();
    expect(otherMean).toEqual([50, 51, 52, undefined, 53, 54]);
  });

  it("are none where nothing was measured", () => {
    expect(columnsOf([[]])).toEqual([[], [], [], []]);
  });
});

describe("the table", () => {
  it("has the mean of each line, newest first, and leaves out what nobody measured", () => {
    const one = stretchesOf(raw([0, 70], [10, 80], [130, 90]), 30_000);
    const rows = tabulate([one, []], T0, T0 + 240_000, 4);
    expect(rows).toEqual([
      { time: T0 + 120_000, values: [90, undefined] },
      { time: T0, values: [75, undefined] },
    ]);
  });
});

describe("points without a neighbour", () => {
  it.each<[(number | null | undefined)[], number[]]>([
    [[], []],
    [[1], [0]],
    [[1, 2], []],
    [[1, null, 2, 3], [0]],
    [[1, 2, undefined, 3, null, undefined, 4], [6]],
    [
      [null, 5, undefined, null, 6, null],
      [1, 4],
    ],
  ])("of %j are %j", (column, expected) => {
    expect(alone(column)).toEqual(expected);
  });
});
