/** Plays bursts with the browser's own oscillators: no files, and nothing to be loaded when it matters. */
import { burstOf, lengthOf, type Pulse } from "./sound-pattern.ts";
import type { Tone } from "./sounding.ts";

/** Five harmonics that fall by 3 dB each: all within 15 dB of each other, so that some are heard in any noise. */
const HARMONICS = [0, 1, 0.71, 0.5, 0.35, 0.25];
const VOLUME = 0.5;

/** Holds an `AudioContext` once somebody has touched the page; before that, browsers are silent. */
export class SoundPlayer {
  readonly #changed: () => void;
  #context: AudioContext | undefined;
  #wave: PeriodicWave | undefined;
  #output: GainNode | undefined;
  #tone: Tone | null = null;
  #next: ReturnType<typeof setTimeout> | undefined;

  /** `changed` is called whenever the sound was switched on, or was taken away again. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get isReady(): boolean {
    return this.#context?.state === "running";
  }

  /** Switch the sound on; takes effect only within a click or a keypress. */
  async unlock(): Promise<void> {
    if (!this.#context) {
      this.#context = new AudioContext();
      this.#wave = this.#context.createPeriodicWave(new Float32Array(HARMONICS), new Float32Array(HARMONICS.length));
      this.#context.addEventListener("statechange", this.#changed);
    }
    if (this.#context.state !== "running") await this.#context.resume().catch(() => undefined);
    this.#changed();
  }

  /** Be heard as this tone from now on; the same again goes on without a break, null is silence. */
  play(tone: Tone | null): void {
    if (tone === this.#tone) return;
    this.#tone = tone;
    this.#silence();
    if (tone) this.#burst(tone);
  }

  close(): void {
    this.play(null);
    this.#context?.removeEventListener("statechange", this.#changed);
    void this.#context?.close();
    this.#context = undefined;
  }

  #silence(): void {
    clearTimeout(this.#next);
    this.#output?.disconnect();
    this.#output = undefined;
  }

  #burst(tone: Tone): void {
    const context = this.#context;
    if (!context) return;
    const burst = burstOf(tone);
    this.#output = context.createGain();
    this.#output.gain.value = VOLUME;
    this.#output.connect(context.destination);
    for (const pulse of burst.pulses) this.#pulse(context, this.#output, pulse);
    this.#next = setTimeout(() => this.#burst(tone), (lengthOf(burst) + burst.pauseSeconds) * 1000);
  }

  #pulse(context: AudioContext, output: GainNode, { at, seconds, hertz }: Pulse): void {
    const begin = context.currentTime + at;
    // A fifth of the pulse to rise and a fifth to fall: without a click, and without startling anybody.
    const ramp = seconds / 5;
    const envelope = context.createGain();
    envelope.gain.setValueAtTime(0, begin);
    envelope.gain.linearRampToValueAtTime(1, begin + ramp);
    envelope.gain.setValueAtTime(1, begin + seconds - ramp);
    envelope.gain.linearRampToValueAtTime(0, begin + seconds);
    const oscillator = context.createOscillator();
    if (this.#wave) oscillator.setPeriodicWave(this.#wave);
    oscillator.frequency.value = hertz;
    oscillator.connect(envelope).connect(output);
    oscillator.start(begin);
    oscillator.stop(begin + seconds);
  }
}
