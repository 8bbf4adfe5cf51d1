/** PURE: the newest samples of one curve, each at its place in the time of the device. */

/** A frame that begins so near to where the one before ended follows it: times are rounded, and clocks drift. */
const JOINS_WITHIN_MS = 20;

/** How fast the places of the samples follow the times of the frames, from frame to frame. */
const FOLLOWS_PART = 0.05;

/** Frames that come so much too late are no late ones: the clock of the device was set back. */
const SET_BACK_MS = 2_000;

/** What a frame has brought. */
export interface Placed {
  /** The number of its first sample that was not there before; that after its last where all were. */
  newFrom: number;
  /** Whether it is the first of its kind: the numbers begin again at 0. */
  hasBegun: boolean;
  /** Whether its time has nothing to do with those of the frames before. */
  hasJumped: boolean;
}

/**
 * A ring of samples. Where none came there is NaN, so that a gap stays a gap; those that come again take the place of
 * those that were there, so that nothing is there twice.
 */
export class SampleBuffer {
  readonly #seconds: number;
  #ring = new Float32Array(0);
  #rateHz = 0;
  /** When sample number 0 was taken, in milliseconds of the device's clock. */
  #origin = 0;
  #end = 0;

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** The number that the next sample will have; none was ever taken where it is 0. */
  get end(): number {
    return this.#end;
  }

  /** The number of the oldest sample that is still held. */
  get start(): number {
    return Math.max(0, this.#end - this.#ring.length);
  }

  get rateHz(): number {
    return this.#rateHz;
  }

  /** The value of a sample: NaN where there is none, or none any more. */
  at(number: number): number {
    if (number >= this.#end || number < this.start) return Number.NaN;
    return this.#ring[number % this.#ring.length] ?? Number.NaN;
  }

  /** When a sample was taken, in milliseconds of the device's clock. */
  timeOf(number: number): number {
    return this.#origin + (number * 1000) / this.#rateHz;
  }

  /** The number of the first sample that was taken at this time, or after it. */
  numberAt(time: number): number {
    return Math.max(0, Math.ceil(((time - this.#origin) * this.#rateHz) / 1000 - 1e-6));
  }

  /** Put a frame in its place. The first was taken at `timestamp`. */
  put(timestamp: number, rateHz: number, samples: Float32Array): Placed {
    if (rateHz !== this.#rateHz || this.#end === 0) return this.#begin(timestamp, rateHz, samples);
    const lateMs = timestamp - this.timeOf(this.#end);
    if (lateMs < -SET_BACK_MS - (samples.length * 1000) / rateHz || lateMs > this.#seconds * 1000) {
      return this.#begin(timestamp, rateHz, samples);
    }
    let from = this.#end + Math.round((lateMs * rateHz) / 1000);
    if (Math.abs(lateMs) < Math.min(JOINS_WITHIN_MS, (samples.length * 500) / rateHz)) {
      from = this.#end;
      this.#origin += FOLLOWS_PART * lateMs;
    }
    for (let number = this.#end; number < from; number++) this.#ring[number % this.#ring.length] = Number.NaN;
    return { newFrom: this.#write(from, samples), hasBegun: false, hasJumped: false };
  }

  /** Forget everything. */
  clear(): void {
    this.#end = 0;
  }

  #begin(timestamp: number, rateHz: number, samples: Float32Array): Placed {
    const last = this.#end > 0 ? this.timeOf(this.#end) : Number.NEGATIVE_INFINITY;
    if (rateHz !== this.#rateHz) this.#ring = new Float32Array(Math.ceil(this.#seconds * rateHz));
    this.#rateHz = rateHz;
    this.#origin = timestamp;
    this.#end = 0;
    return { newFrom: this.#write(0, samples), hasBegun: true, hasJumped: Math.abs(timestamp - last) > SET_BACK_MS };
  }

  #write(from: number, samples: Float32Array): number {
    const capacity = this.#ring.length;
    const to = from + samples.length;
    let newFrom = to;
    for (let number = Math.max(from, 0, this.start, to - capacity); number < to; number++) {
      if (newFrom === to && Number.isNaN(this.at(number))) newFrom = number;
      this.#ring[number % capacity] = samples[number - from] ?? Number.NaN;
    }
    this.#end = Math.max(this.#end, to);
    return newFrom;
  }
}
