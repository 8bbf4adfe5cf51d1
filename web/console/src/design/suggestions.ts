/** PURE: what a combobox suggests, and which of it the keys lead to. */

export interface Suggestion {
  value: string;
  text: string;
  /** What tells it from others of the same text. */
  detail?: string | undefined;
}

/** Those that hold every word that was typed, in any case. */
export function holding(suggestions: Suggestion[], typed: string): Suggestion[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  return suggestions.filter(({ value, text, detail = "" }) => {
    const all = `${value} ${text} ${detail}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

/** Where a key leads to from one place in a list; nothing for every other key. */
export function step(key: string, at: number, count: number): number | undefined {
  if (key === "ArrowDown") return count ? (at + 1) % count : 0;
  if (key === "ArrowUp") return count ? (at - 1 + count) % count : 0;
  if (key === "PageDown") return Math.max(0, Math.min(count - 1, at + 8));
  if (key === "PageUp") return Math.max(0, at - 8);
  return undefined;
}
