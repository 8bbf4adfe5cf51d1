/** What uPlot is told: axes, lines, bands, limits and marks of one chart. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Bounds } from "../../vitals/limits.ts";
import type { ChartSpec } from "./charts.ts";
import { alone } from "./points.ts";
import { takeTouches } from "./touch.ts";

/** An alert on the axis of time: `time` in milliseconds. */
export interface Mark {
  time: number;
  symbol: string;
  colour: string;
}

export interface PlotOptions {
  spec: ChartSpec;
  width: number;
  height: number;
  locale: string;
  /** Only the lowest chart says what time it is. */
  hasTimeAxis: boolean;
  /** Read when it is drawn, so that a change needs no new chart. */
  bounds: () => Bounds | undefined;
  marks: () => readonly Mark[];
  stretch: () => { min: number; max: number };
  onCursor: (index: number | null) => void;
  onSelect: (since: number, until: number) => void;
}

const MINUTE_MS = 60_000;
const MOST_DOTS = 120;
const AXIS_PX = 48;
const TIME_AXIS_PX = 34;
const SYNC = "trends";

/** What a colour of the page is right now. */
export function colourOf(variable: string, within: Element): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${variable})`;
  within.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** A chart in this element; `setData` and `setSize` change it, `destroy` takes it away. */
export function plot(element: HTMLElement, options: PlotOptions, data: uPlot.AlignedData): uPlot {
  const { spec, width, locale, hasTimeAxis } = options;
  const [ink, line, colour] = ["--ink-2", "--line", spec.colour].map((it) => colourOf(it, element)) as [
    string,
    string,
    string,
  ];
  const font = `12px ${getComputedStyle(element).fontFamily}`;
  const thin = { stroke: "transparent", points: { show: false } };
  const chart = new uPlot(
    {
      width,
      height: options.height + (hasTimeAxis ? TIME_AXIS_PX : 0),
      padding: [8, 12, hasTimeAxis ? 0 : 8, 0],
      legend: { show: false },
      cursor: {
        sync: { key: SYNC },
        y: false,
        points: { size: 7 },
        drag: { x: true, y: false, setScale: false },
      },
      scales: {
        x: { time: true, range: () => [options.stretch().min / 1000, options.stretch().max / 1000] },
        y: {
          range: (_, min, max) => {
            const [low, high] = spec.least;
            const room = 0.06 * (high - low);
            return [Math.min(low, (min ?? low) - room), Math.max(high, (max ?? high) + room)];
          },
        },
      },
      axes: [
        {
          size: hasTimeAxis ? TIME_AXIS_PX : 0,
          stroke: ink,
          font,
          grid: { stroke: line, width: 1 },
          ticks: { show: hasTimeAxis, stroke: line, width: 1 },
          values: (_, splits, __, ___, step) => splits.map((it) => (hasTimeAxis ? timeLabel(it, step, locale) : "")),
          space: 70,
        },
        { size: AXIS_PX, stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, space: 28 },
      ],
      series: [
        {},
        ...spec.types.flatMap((_, i) => [
          {
            stroke: colour,
            width: i === 2 ? 1 : 1.75,
            ...(i === 2 ? { dash: [4, 3] } : {}),
            points: {
              show: true,
              size: 5,
              width: 0,
              fill: colour,
              filter: (chart: uPlot, n: number) => dots(chart, n, spec),
            },
          },
          thin,
          thin,
        ]),
      ],
      bands: spec.types.map((_, i) => ({ series: [3 * i + 2, 3 * i + 3] as [number, number], fill: faded(colour) })),
      hooks: {
        draw: [(chart) => drawBounds(chart, options.bounds(), ink), (chart) => drawMarks(chart, options.marks(), font)],
        setCursor: [(chart) => options.onCursor(chart.cursor.idx ?? null)],
        setSelect: [
          (chart) => {
            if (chart.select.width < 8) return;
            const [from, to] = [chart.select.left, chart.select.left + chart.select.width];
            chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            options.onSelect(chart.posToVal(from, "x") * 1000, chart.posToVal(to, "x") * 1000);
          },
        ],
      },
    },
    data,
    element,
  );
  takeTouches(chart.over);
  return chart;
}

/** What is measured now and then is drawn as what it is, readings; of the rest only what no line would show. */
function dots(chart: uPlot, series: number, spec: ChartSpec): number[] {
  const column = (chart.data[series] ?? []) as (number | null | undefined)[];
  const known = [...column.keys()].filter((i) => column[i] != null);
  return spec.validMs > MINUTE_MS && known.length <= MOST_DOTS ? known : alone(column);
}

/** The limits of the sign, dashed across the chart. */
function drawBounds(chart: uPlot, bounds: Bounds | undefined, colour: string): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 5 * devicePixelRatio]);
  for (const limit of [bounds?.low, bounds?.high]) {
    if (limit === undefined) continue;
    const y = Math.round(chart.valToPos(limit, "y", true));
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

/** A line for each alert, with its symbol on top; those that would lie over each other are told once. */
function drawMarks(chart: uPlot, marks: readonly Mark[], font: string): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.font = font.replace("12px", `bold ${13 * devicePixelRatio}px`);
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  let lastX = Number.NEGATIVE_INFINITY;
  for (const { time, symbol, colour } of [...marks].sort((one, other) => one.time - other.time)) {
    const x = Math.round(chart.valToPos(time / 1000, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.fillStyle = ctx.strokeStyle = colour;
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (x - lastX < 24 * devicePixelRatio) continue;
    const half = ctx.measureText(symbol).width / 2;
    ctx.fillText(symbol, Math.min(Math.max(x, bbox.left + half), bbox.left + bbox.width - half), bbox.top - 7);
    lastX = x;
  }
  ctx.restore();
}

/** 13:05; with seconds where they matter, and with the day where that changes. */
function timeLabel(seconds: number, step: number, locale: string): string {
  const date = new Date(seconds * 1000);
  const day = { day: "numeric", month: "short" } as const;
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  if (step >= 86_400) return date.toLocaleDateString(locale, day);
  if (date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0) {
    return date.toLocaleDateString(locale, day);
  }
  return date.toLocaleTimeString(locale, step < 60 ? { ...time, second: "2-digit" } : time);
}

/** The same colour, to see through; computed colours are `rgb(…)`. */
function faded(colour: string): string {
  return colour.replace(/^rgb\(/, "rgba(").replace(/\)$/, ", 0.22)");
}
