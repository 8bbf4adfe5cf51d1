/** One curve on one canvas, drawn as a bedside monitor draws it: a pen that sweeps, and a gap ahead of it. */
import type { Waveform } from "@tocsin/react";
import { SampleBuffer } from "./buffer.ts";
import { PlayOut } from "./jitter.ts";
import { LeadChoice } from "./lead.ts";
import { type Gain, isCutOff, rangeOf, type Scale, scaleECG, scaleShape } from "./scale.ts";
import { distanceAt, eachPiece, type Mapping, SWEEP_PX_PER_MS, trace } from "./sweep.ts";

/** What is held: more than the widest screen shows. */
const HELD_SECONDS = 42;

/** Height is settled by the last seconds; the first time after one of them. */
const JUDGED_BY_MS = 6_000;
const RESCALES_AFTER_MS = 1_000;

const SILENT_MS = 2_000;
const GAP_PX = 14;

/** What is left free at the top for the name, so that no peak lies behind it. */
const NAME_PX = 15;
const LINE_PX = 1.5;
const STILL_EVERY_MS = 1_000;

/** After a longer pause than this (a hidden tab, a busy machine) everything is drawn anew, not run after. */
const LONGEST_STEP_MS = 250;

const MICROVOLTS = new Set(["uV", "µV", "μV"]);

/** What the page tells beside the canvas. */
export interface CurveStatus {
  hasSignal: boolean;
  lead: string | null;
  mmPerMV: number | null;
}

export interface CurveOptions {
  type: string;
  lead?: string | undefined;
  onStatus: (status: CurveStatus) => void;
}

export class Curve {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #options: CurveOptions;
  readonly #buffer = new SampleBuffer(HELD_SECONDS);
  readonly #playOut = new PlayOut();
  readonly #leads = new LeadChoice();
  #status: CurveStatus = { hasSignal: false, lead: null, mmPerMV: null };
  #scale: Scale | undefined;
  #widest = 0;
  #scaledAt = Number.NEGATIVE_INFINITY;
  #heardAt = Number.NEGATIVE_INFINITY;
  #width = 0;
  #height = 0;
  #ratio = 1;
  #ink = "#000";
  #ground = "#fff";
  /** The number of the first sample that is not drawn, how far is erased, and when; all of them of the last frame. */
  #drawnTo = 0;
  #erasedTo = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #lag: number | undefined;
  #isStale = true;
  isStill = false;
  /** Millimetres for a millivolt. */
  gain: Gain = 10;

  constructor(canvas: HTMLCanvasElement, options: CurveOptions) {
    this.#canvas = canvas;
    this.#options = options;
    // Without alpha the compositor copies the canvas in place of blending it; desynchronized lets it show the canvas
    // without waiting for the rest of the page, where the browser can.
    this.#context = canvas.getContext("2d", { alpha: false, desynchronized: true }) as CanvasRenderingContext2D;
  }

  /** Take a frame of this type in, as it comes. */
  take(frame: Waveform, now: number): void {
    const { lead } = this.#options;
    const index = lead === undefined ? this.#leads.choose(frame.leads, now) : frame.leads.indexOf(lead);
    const sent = frame.samples[index];
    if (!sent || sent.length === 0) return;
    // Others draw from the same frame: it stays as it came.
    const samples = MICROVOLTS.has(frame.unit) ? sent.map((value) => value / 1000) : sent;
    const name = frame.leads[index] ?? null;
    if (name !== this.#status.lead) {
      this.#buffer.clear();
      this.#tell({ lead: name });
    }
    const placed = this.#buffer.put(frame.timestamp, frame.sampleRate, samples);
    if (placed.hasJumped) this.#playOut.reset();
    if (placed.hasBegun) this.#drawnTo = 0;
    const end = frame.timestamp + (samples.length * 1000) / frame.sampleRate;
    this.#playOut.heard(frame.timestamp, end, now);
    this.#heardAt = now;
    // What comes too late for the pen is put in behind it.
    this.#drawnTo = Math.min(this.#drawnTo, placed.newFrom);
  }

  /** The size in CSS pixels. */
  resize(width: number, height: number): void {
    this.#ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
    this.#canvas.width = Math.round(width * this.#ratio);
    this.#canvas.height = Math.round(height * this.#ratio);
    // A lap is a whole number of the canvas's pixels, so that what is drawn and what is erased meet in every lap.
    this.#width = this.#canvas.width / this.#ratio;
    this.#height = this.#canvas.height / this.#ratio;
    this.refresh();
  }

  /** Read the colours anew: asking for them is slow, so that nobody asks in between. */
  recolour(): void {
    const { color, backgroundColor } = getComputedStyle(this.#canvas);
    this.#ink = color;
    this.#ground = backgroundColor;
    this.#isStale = true;
  }

  /** Judge the height anew, and draw all of it the next time. */
  refresh(): void {
    this.#scaledAt = Number.NEGATIVE_INFINITY;
    this.#isStale = true;
  }

  draw(now: number): void {
    if (this.#width === 0) return;
    const hasSignal = now - this.#heardAt < SILENT_MS;
    if (hasSignal !== this.#status.hasSignal) this.#tell({ hasSignal });
    const lag = this.#playOut.lagAt(now);
    // Where the clock has jumped, what is on the screen stands in the wrong place.
    if (lag !== undefined && Math.abs(lag - (this.#lag ?? lag)) > LONGEST_STEP_MS) this.#isStale = true;
    this.#lag = lag;
    const hasScaled = this.#rescale(now, lag);
    const isDue = this.#isStale || now - this.#drawnAt > (this.isStill ? STILL_EVERY_MS : LONGEST_STEP_MS);
    if (this.isStill) {
      if (!isDue) return;
      this.#drawStill(now, lag);
    } else if (isDue || hasScaled) this.#drawAll(now, lag);
    else this.#drawNew(now, lag);
    this.#drawnAt = now;
  }

  /** Only what is new, and only the gap erased: this is what happens 60 times a second for every curve. */
  #drawNew(now: number, lag: number | undefined): void {
    this.#erase(this.#erasedTo, distanceAt(now, SWEEP_PX_PER_MS) + GAP_PX);
    if (lag === undefined) return;
    const to = this.#numberAt(now - lag);
    if (to <= this.#drawnTo) return;
    this.#stroke(Math.max(this.#drawnTo, this.#numberAt(now - lag - this.#shownMs()) + 1), to, lag);
    this.#drawnTo = to;
  }

  #drawAll(now: number, lag: number | undefined): void {
    this.#clear();
    this.#isStale = false;
    this.#erasedTo = distanceAt(now, SWEEP_PX_PER_MS) + GAP_PX;
    if (lag === undefined) return;
    this.#drawnTo = this.#numberAt(now - lag);
    // Not joined to the sample before the first, which would lie in the gap.
    this.#stroke(this.#numberAt(now - lag - this.#shownMs()) + 1, this.#drawnTo, lag);
  }

  /** For those who asked for less motion: the last seconds, once a second, the newest on the right. */
  #drawStill(now: number, lag: number | undefined): void {
    this.#isStale = false;
    this.#clear();
    if (lag === undefined) return;
    const newest = now - lag;
    this.#drawnTo = this.#numberAt(newest);
    this.#stroke(this.#numberAt(newest - this.#shownMs()) + 1, this.#drawnTo, this.#shownMs() - newest);
  }

  /** How high a curve may be. */
  #room(): number {
    return Math.max(this.#height - NAME_PX, this.#height / 2);
  }

  /** How much of the past is on the screen. */
  #shownMs(): number {
    return (this.#width - GAP_PX) / SWEEP_PX_PER_MS;
  }

  /** The number of the first sample that is not yet due at this time of the device. */
  #numberAt(time: number): number {
    return Math.min(this.#buffer.numberAt(time), this.#buffer.end);
  }

  #stroke(from: number, to: number, lag: number): void {
    const scale = this.#scale;
    if (!scale) return;
    const context = this.#context;
    const { pxPerUnit, centre } = scale;
    const middle = NAME_PX + this.#room() / 2;
    const mapping: Mapping = {
      lag,
      pxPerMs: SWEEP_PX_PER_MS,
      width: this.#width,
      y: (value) => middle - (value - centre) * pxPerUnit,
    };
    context.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    context.strokeStyle = this.#ink;
    context.lineWidth = LINE_PX;
    context.lineJoin = "round";
    context.lineCap = "round";
    context.beginPath();
    trace(context, this.#buffer, from, to, mapping);
    context.stroke();
  }

  /** Erase whole pixels of the screen: half ones would leave a shadow of the line. */
  #erase(from: number, to: number): void {
    const context = this.#context;
    const end = Math.ceil(to * this.#ratio);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = this.#ground;
    eachPiece(Math.floor(from * this.#ratio), end, this.#canvas.width, (x, width) =>
      context.fillRect(x, 0, width, this.#canvas.height),
    );
    this.#erasedTo = to;
  }

  #clear(): void {
    this.#context.setTransform(1, 0, 0, 1, 0, 0);
    this.#context.fillStyle = this.#ground;
    this.#context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
  }

  /** Settle the height once a second; true where that changed it so that the whole is to be drawn anew. */
  #rescale(now: number, lag: number | undefined): boolean {
    if (lag === undefined || now - this.#scaledAt < RESCALES_AFTER_MS) return false;
    const to = this.#buffer.end;
    const range = rangeOf(this.#buffer, this.#buffer.numberAt(now - lag - JUDGED_BY_MS), to);
    if (!range) return false;
    this.#scaledAt = now;
    const before = this.#scale;
    const { type } = this.#options;
    this.#widest = Math.max(this.#widest, range.high - range.low);
    const scale =
      type === "ecg" ? scaleECG(range, this.#room(), this.gain, before) : scaleShape(range, this.#room(), this.#widest);
    // A shape that breathes with every pulse would be hard to read: it changes only where it must.
    const isNear =
      before && !isCutOff(range, this.#room(), before) && Math.abs(Math.log(scale.pxPerUnit / before.pxPerUnit)) < 0.4;
    if (type !== "ecg" && isNear) return false;
    if (before && scale.pxPerUnit === before.pxPerUnit && scale.centre === before.centre) return false;
    this.#scale = scale;
    this.#tell({ mmPerMV: scale.mmPerMV ?? null });
    return true;
  }

  #tell(changes: Partial<CurveStatus>): void {
    const status = { ...this.#status, ...changes };
    const before = this.#status;
    this.#status = status;
    const keys = Object.keys(changes) as (keyof CurveStatus)[];
    if (keys.some((key) => before[key] !== status[key])) this.#options.onStatus(status);
  }
}
