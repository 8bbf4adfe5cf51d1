/** Of all tabs of a browser one is heard: two that sound together, and out of step, hurt and say nothing more. */
const LOCK = "tocsin.sound";

/** Where the sound is: in this tab, in another one, or in none. */
export type Where = "here" | "elsewhere" | "nowhere";

/** Holds the browser's sound for this tab, and hands it on to one that somebody looks at. */
export class OneTab {
  where: Where = "nowhere";
  readonly #changed: () => void;
  readonly #end = new AbortController();
  #wants = false;
  #waiting: AbortController | undefined;
  #release: (() => void) | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
    document.addEventListener("visibilitychange", this.#shown);
    void this.#ask();
  }

  /** This tab can sound: from now on it is one of those that may. */
  want(): void {
    if (this.#wants) return;
    this.#wants = true;
    // Without locks (a page that came without TLS) every tab sounds: twice is better than not at all.
    if (!navigator.locks) this.#be("here");
    else void this.#hold(document.visibilityState === "visible");
  }

  /** Sound here and nowhere else, because somebody asked for it. */
  take(): void {
    this.#wants = true;
    if (this.where !== "here" && navigator.locks) void this.#hold(true);
  }

  /** For a tab that cannot sound itself: look whether another one does. */
  async #ask(): Promise<void> {
    if (this.#wants || !navigator.locks) return;
    const { held = [] } = await navigator.locks.query();
    if (!this.#wants) this.#be(held.some(({ name }) => name === LOCK) ? "elsewhere" : "nowhere");
  }

  /** Look again whether some other tab sounds. */
  look = (): void => void this.#ask();

  close(): void {
    document.removeEventListener("visibilitychange", this.#shown);
    this.#end.abort();
    this.#waiting?.abort();
    this.#release?.();
  }

  #shown = (): void => {
    if (document.visibilityState !== "visible") return;
    if (this.#wants && this.where === "elsewhere") void this.#hold(true);
    else void this.#ask();
  };

  async #hold(steal: boolean): Promise<void> {
    if (this.#end.signal.aborted) return;
    this.#waiting?.abort();
    const waiting = new AbortController();
    this.#waiting = waiting;
    this.#be("elsewhere");
    try {
      await navigator.locks.request(LOCK, steal ? { steal } : { signal: waiting.signal }, () => {
        if (this.#end.signal.aborted) return;
        this.#be("here");
        return new Promise<void>((release) => {
          this.#release = release;
        });
      });
    } catch {
      // Another tab, one that somebody looks at, has taken it; it comes back when that one goes.
      if (this.#waiting === waiting && this.where === "here") void this.#hold(false);
    }
  }

  #be(where: Where): void {
    if (this.where === where) return;
    this.where = where;
    this.#changed();
  }
}
