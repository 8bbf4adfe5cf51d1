/** Web Locks as far as tabs need them, for Node, which has none before 24 (W3C Web Locks API, section 4). */

interface Holder {
  release: () => void;
  take: () => void;
}

/** Hands each lock to one after the other; `steal` takes it from whoever has it. */
class LockManager {
  #held = new Map<string, Holder>();
  #waiting = new Map<string, Holder[]>();

  request<T>(name: string, ...rest: [LockGrantedCallback<T>] | [LockOptions, LockGrantedCallback<T>]): Promise<T> {
    const [options, callback] = rest.length === 1 ? [{} as LockOptions, rest[0]] : rest;
    return new Promise<T>((resolve, reject) => {
      const aborted = (why: string) => reject(new DOMException(why, "AbortError"));
      const holder: Holder = {
        take: () => {
          options.signal?.removeEventListener("abort", giveUp);
          this.#held.set(name, holder);
          Promise.resolve()
            .then(() => callback({ name, mode: "exclusive" }))
            .then(resolve, reject)
            .finally(() => {
              if (this.#held.get(name) !== holder) return; // It was stolen.
              this.#held.delete(name);
              this.#waiting.get(name)?.shift()?.take();
            });
        },
        release: () => aborted("stolen"),
      };
      const giveUp = () => {
        const waiting = this.#waiting.get(name) ?? [];
        this.#waiting.set(
          name,
          waiting.filter((it) => it !== holder),
        );
        aborted("given up");
      };
      if (options.signal?.aborted) return aborted("given up");
      const holding = this.#held.get(name);
      if (holding && options.steal) {
        holding.release();
        holder.take();
      } else if (holding) {
        options.signal?.addEventListener("abort", giveUp);
        this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), holder]);
      } else holder.take();
    });
  }
}

/** Give this process locks, as a browser gives them to its tabs. */
export function installLocks(): void {
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { locks: new LockManager() } });
}
