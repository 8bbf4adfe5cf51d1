/** PURE: what a key means. */

export type Command = "next" | "previous" | "acknowledge" | "resolve" | "open" | "pause" | "help";

/** Keys for one hand, and their commands. */
const COMMANDS = new Map<string, Command>([
  ["j", "next"],
  ["k", "previous"],
  ["a", "acknowledge"],
  ["r", "resolve"],
  ["o", "open"],
  ["p", "pause"],
  ["?", "help"],
]);

/** Where a page scrolls with the arrows, they choose alarms only from among the alarms. */
const IN_LIST = new Map<string, Command>([
  ["ArrowDown", "next"],
  ["ArrowUp", "previous"],
]);

interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

interface Place {
  /** Somebody writes: every key is a letter. */
  isTyping: boolean;
  /** The focus is on an alarm of the list. */
  isInList: boolean;
}

/** The command of a keypress; none where the key belongs to the browser, or to a text. */
export function commandOf({ key, ctrlKey, metaKey, altKey }: Pressed, place: Place): Command | undefined {
  if (place.isTyping || ctrlKey || metaKey || altKey) return undefined;
  return (place.isInList ? IN_LIST.get(key) : undefined) ?? COMMANDS.get(key.toLowerCase());
}
