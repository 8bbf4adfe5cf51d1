/** PURE: what a trend shows: the readings of a sign over time, in which a gap stays a gap. */
import type { components } from "@tocsin/react";

export type AnySeries = components["schemas"]["Series"] | components["schemas"]["BucketSeries"];

/** A reading, or the readings of a while: `time` in milliseconds. */
export interface Point {
  time: number;
  low: number;
  mean: number;
  high: number;
}

/** Points in the order of time; each of the lists is a stretch without a gap. */
export type Stretches = Point[][];

/** Readings that lie farther apart than they stay valid are not joined: nobody knows what was in between. */
export function stretchesOf(series: AnySeries, validMs: number): Stretches {
  const points = pointsOf(series);
  const widthMs = series.resolution === "buckets" ? series.bucketSeconds * 1000 : 0;
  const stretches: Stretches = [];
  for (const point of points) {
    const last = stretches.at(-1)?.at(-1);
    // A bucket stands for its whole width: the next one may be empty to half of it before something is missing.
    if (last && point.time - last.time <= Math.max(validMs, 1.5 * widthMs)) stretches.at(-1)?.push(point);
    else stretches.push([point]);
  }
  return stretches;
}

function pointsOf(series: AnySeries): Point[] {
  const times = series.timestamps.map((it) => Date.parse(it));
  if (series.resolution === "raw") {
    return times.flatMap((time, i) => {
      const value = series.values[i];
      return typeof value === "number" ? [{ time, low: value, mean: value, high: value }] : [];
    });
  }
  // A bucket begins at its timestamp, and is drawn in its middle.
  const middle = series.bucketSeconds * 500;
  return times.flatMap((time, i) => {
    const [low, mean, high] = [series.min[i], series.mean[i], series.max[i]];
    return low == null || mean == null || high == null ? [] : [{ time: time + middle, low, mean, high }];
  });
}

/** What uPlot draws: seconds, and for each sign its mean, highest and lowest. `null` ends a line, `undefined` does not. */
export type Columns = [number[], ...(number | null | undefined)[][]];

/** The stretches of several signs over one time. */
export function columnsOf(signs: Stretches[]): Columns {
  const rows = new Map<number, (number | null | undefined)[]>();
  const width = 3 * signs.length;
  const row = (time: number) => {
    const known = rows.get(time) ?? new Array<undefined>(width).fill(undefined);
    rows.set(time, known);
    return known;
  };
  for (const [i, stretches] of signs.entries()) {
    for (const [n, stretch] of stretches.entries()) {
      const previous = stretches[n - 1]?.at(-1);
      const first = stretch[0];
      if (previous && first) row((previous.time + first.time) / 2).fill(null, 3 * i, 3 * i + 3);
      for (const { time, low, mean, high } of stretch) row(time).splice(3 * i, 3, mean, high, low);
    }
  }
  const times = [...rows.keys()].sort((one, other) => one - other);
  const columns = Array.from({ length: width }, (_, i) => times.map((time) => rows.get(time)?.[i]));
  return [times.map((time) => time / 1000), ...columns];
}

/** A line of the table of values: from `time` on, the mean of each sign; none where nothing was measured. */
export interface TableRow {
  time: number;
  values: (number | undefined)[];
}

/** The same for those who read: as many lines, newest first; those in which nothing was measured are left out. */
export function tabulate(signs: Stretches[], since: number, until: number, lines: number): TableRow[] {
  const width = (until - since) / lines;
  const sums = signs.map(() => new Map<number, { sum: number; count: number }>());
  for (const [i, stretches] of signs.entries()) {
    for (const { time, mean } of stretches.flat()) {
      const line = Math.floor((time - since) / width);
      const known = sums[i]?.get(line) ?? { sum: 0, count: 0 };
      sums[i]?.set(line, { sum: known.sum + mean, count: known.count + 1 });
    }
  }
  const used = new Set(sums.flatMap((it) => [...it.keys()]).filter((line) => line >= 0 && line < lines));
  return [...used]
    .sort((one, other) => other - one)
    .map((line) => ({
      time: since + line * width,
      values: sums.map((it) => {
        const found = it.get(line);
        return found && found.sum / found.count;
      }),
    }));
}

/** The numbers of those points that a line would not show, since there is none beside them to draw it to. */
export function alone(column: readonly (number | null | undefined)[]): number[] {
  const found: number[] = [];
  let last: number | undefined;
  let isFirst = true;
  for (const [i, value] of column.entries()) {
    if (value === undefined) continue;
    if (value === null) {
      if (last !== undefined && isFirst) found.push(last);
      last = undefined;
    } else {
      isFirst = last === undefined;
      last = i;
    }
  }
  if (last !== undefined && isFirst) found.push(last);
  return found;
}
