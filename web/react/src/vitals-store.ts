/** The vital signs of one patient: the newest number of each type to render, and every frame for those who draw. */
import {
  type ConnectionState,
  createVitalsSocket,
  type Numeric,
  type VitalsFrame,
  type VitalsSocket,
  type VitalsSocketOptions,
} from "@tocsin/client";

export type Numerics = ReadonlyMap<string, Numeric>;

/** Has a socket from the first listener on, until a while after the last. */
export class VitalsStore {
  readonly #options: Omit<VitalsSocketOptions, "onFrame" | "onState">;
  readonly #lingersMs: number;
  #socket: VitalsSocket | undefined;
  #ending: ReturnType<typeof setTimeout> | undefined;
  #numerics: Numerics = new Map();
  #isTelling = false;
  #state: ConnectionState = { phase: "connecting", since: Date.now() };
  #listeners = new Set<() => void>();
  #frameListeners = new Set<(frame: VitalsFrame) => void>();

  constructor(options: Omit<VitalsSocketOptions, "onFrame" | "onState">, lingersMs: number) {
    this.#options = options;
    this.#lingersMs = lingersMs;
  }

  subscribe = (listener: () => void): (() => void) => this.#join(this.#listeners, listener);

  /** Call back for every frame, as soon as it comes; what it returns ends that. */
  onFrame = (listener: (frame: VitalsFrame) => void): (() => void) => this.#join(this.#frameListeners, listener);

  numerics = (): Numerics => this.#numerics;
  state = (): ConnectionState => this.#state;

  close(): void {
    clearTimeout(this.#ending);
    this.#socket?.close();
    this.#socket = undefined;
  }

  #join<T>(listeners: Set<T>, listener: T): () => void {
    listeners.add(listener);
    clearTimeout(this.#ending);
    this.#socket ??= createVitalsSocket({
      ...this.#options,
      beats: true,
      onFrame: this.#take,
      onState: (state) => {
        this.#state = state;
        // Who was refused once may be let in later: whoever comes to look then asks anew.
        if (state.phase === "stopped" && state.reason !== "closed") this.#socket = undefined;
        this.#tell();
      },
    });
    return () => {
      listeners.delete(listener);
      if (this.#listeners.size + this.#frameListeners.size > 0) return;
      clearTimeout(this.#ending);
      this.#ending = setTimeout(() => this.close(), this.#lingersMs);
    };
  }

  #take = (frame: VitalsFrame): void => {
    for (const listener of this.#frameListeners) listener(frame);
    if (frame.kind !== "numeric") return;
    const known = this.#numerics.get(frame.type);
    if (known && known.timestamp > frame.timestamp) return;
    this.#numerics = new Map(this.#numerics).set(frame.type, frame);
    // A monitor sends its numbers one by one, and all at once: they are rendered together.
    if (this.#isTelling) return;
    this.#isTelling = true;
    setTimeout(() => {
      this.#isTelling = false;
      this.#tell();
    });
  };

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
