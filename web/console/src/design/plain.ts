/** PURE: a text of somebody else, as it may stand beside ours. */

/**
 * What turns the direction of everything behind it around: with it, a name or a reason can have "97" read as "79".
 * Marks and isolates, which right-to-left languages need, stay.
 */
const OVERRIDES = /[\u202a-\u202e]/g;

/** The text without what would turn the digits behind it around. */
export function plain(text: string): string {
  return text.replace(OVERRIDES, "");
}
