import { describe, expect, it } from "vitest";
import { SampleBuffer } from "../../src/vitals/buffer.ts";
import { eachPiece, PX_PER_MM, SWEEP_PX_PER_MS, trace } from "../../src/vitals/sweep.ts";

const T0 = 1_700_000_000_000;

interface Point {
  x: number;
  y: number;
}

/** Keeps the lines that were drawn. */
class Recorder {
  lines: Point[][] = [];
  moveTo = (x: number, y: number) => this.lines.push([{ x, y }]);
  lineTo = (x: number, y: number) => this.lines.at(-1)?.push({ x, y });
  drawn = () => this.lines.filter((line) => line.length > 1);
}

describe("a sweep", () => {
  it("covers 25 mm in a second", () => {
    expect(1000 * SWEEP_PX_PER_MS).toBeCloseTo(25 * PX_PER_MM);
    expect(PX_PER_MM).toBeCloseTo(3.7795, 4);
  });

  it.each([
    ["within a lap", 110, 150, [[10, 40]]],
    [
      "over the edge",
      190,
      215,
      [
        [90, 10],
        [0, 15],
      ],
    ],
    ["up to the edge", 150, 200, [[50, 50]]],
    ["from the edge", 200, 230, [[0, 30]]],
    [
      "more than a lap, once",
      130,
      390,
      [
        [90, 10],
        [0, 90],
      ],
    ],
    ["nothing", 130, 130, []],
  ])("covers %s", (_, from, to, expected) => {
    const pieces: number[][] = [];
    eachPiece(from, to, 100, (x, width) => pieces.push([x, width]));
    expect(pieces).toEqual(expected);
  });

  it("covers every pixel of a lap exactly once, in steps of any size", () => {
    const covered = new Array<number>(640).fill(0);
    for (let at = 6400; at < 7040; ) {
      const to = Math.min(7040, at + 1 + (at % 7));
      eachPiece(at, to, 640, (x, width) => {
        for (let i = x; i < x + width; i++) covered[i] = (covered[i] ?? 0) + 1;
      });
      at = to;
    }
    expect(new Set(covered)).toEqual(new Set([1]));
  });
});

describe("a trace", () => {
  const WIDTH = 100;
  const mapping = { lag: -T0, pxPerMs: 0.1, width: WIDTH, y: (value: number) => 50 - value };
  const filled = (count: number, gap?: [number, number]) => {
    const buffer = new SampleBuffer(60);
    const put = (from: number, to: number) =>
      buffer.put(
        T0 + from * 10,
        100,
        Float32Array.from({ length: to - from }, (_, i) => (from + i) % 10),
      );
    if (gap) {
      put(0, gap[0]);
      put(gap[1], count);
    } else put(0, count);
    return buffer;
  };

  it("is one line through every sample, at its time and its height", () => {
    const pen = new Recorder();
    trace(pen, filled(50), 0, 50, mapping);
    expect(pen.lines).toHaveLength(1);
    expect(pen.lines[0]).toHaveLength(50);
    expect(pen.lines[0]?.[13]?.x).toBeCloseTo(13);
    expect(pen.lines[0]?.[13]?.y).toBe(47);
  });

  it("is the same in pieces as in one: each piece begins where the one before it has ended", () => {
    const [whole, pieces] = [new Recorder(), new Recorder()];
    const buffer = filled(90);
    trace(whole, buffer, 0, 90, mapping);
    const ends = [1, 2, 10, 11, 40, 77, 90];
    for (const [i, end] of ends.entries()) trace(pieces, buffer, ends[i - 1] ?? 0, end, mapping);
    const joined = pieces.drawn().flatMap((line, i) => {
      if (i > 0) expect(line[0]).toEqual(pieces.drawn()[i - 1]?.at(-1));
      return i === 0 ? line : line.slice(1);
    });
    expect(joined).toEqual(whole.lines[0]);
  });

  it("never crosses a gap", () => {
    const pen = new Recorder();
    trace(pen, filled(80, [30, 50]), 0, 80, mapping);
    const lines = pen.drawn();
    expect(lines.map((line) => [line[0]?.x, line.at(-1)?.x].map((x) => Math.round(x ?? 0)))).toEqual([
      [0, 29],
      [50, 79],
    ]);
  });

  it("goes on at the left edge, and draws no line back across the screen", () => {
    const pen = new Recorder();
    trace(pen, filled(350), 0, 350, mapping);
    const lines = pen.drawn();
    expect(lines).toHaveLength(4);
    for (const line of lines) {
      for (const [i, point] of line.entries()) {
        const before = line[i - 1];
        if (before) expect(point.x - before.x).toBeCloseTo(1);
        expect(point.x).toBeLessThanOrEqual(WIDTH + 1);
      }
    }
  });
});
