/** PURE: reads a text/event-stream, however it is cut, as the HTML standard says (section 9.2.6). */

/** One block of the stream. `data` is empty where a block only moves the cursor, as a keepalive does. */
export interface Message {
  event: string;
  data: string;
  id?: string | undefined;
}

/**
 * A function that takes the pieces of one stream as they come, and gives the messages that they complete.
 *
 * Unlike `EventSource` and the parsers made after it, it also gives a block that has an id and no data: that is how
 * the server tells a quiet client how far it has been served, so that its cursor does not grow old.
 */
export function createReader(onRetry: (ms: number) => void): (piece: Uint8Array) => Message[] {
  const decoder = new TextDecoder(); // Strips a byte order mark, and waits for the rest of a character that was cut.
  let rest = "";
  let endedInCR = false;
  let fields: Record<string, string> = {};

  return (piece) => {
    const messages: Message[] = [];
    let text = decoder.decode(piece, { stream: true });
    if (!text) return messages;
    // A CR ends its line at once; an LF right after it, in this piece or in the next, belongs to it.
    if (endedInCR && text[0] === "\n") text = text.slice(1);
    endedInCR = text.endsWith("\r");
    const lines = (rest + text).split(/\r\n?|\n/);
    rest = lines.pop() as string;
    for (const line of lines) {
      if (line === "") {
        const { event, data, id } = fields;
        if (data !== undefined || id !== undefined) {
          messages.push({ event: event || "message", data: data?.slice(1) ?? "", id });
        }
        fields = {};
        continue;
      }
      const [, name = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (name === "data") fields.data = `${fields.data ?? ""}\n${value}`;
      else if (name === "retry") /^\d+$/.test(value) && onRetry(Number(value));
      else if (name === "event" || (name === "id" && !value.includes("\0"))) fields[name] = value;
    }
    return messages;
  };
}
