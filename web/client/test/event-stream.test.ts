import { createParser } from "eventsource-parser";
import { describe, expect, test } from "vitest";
import { createReader, type Message } from "../src/event-stream.ts";
import { seeded } from "./random.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** What the pieces hold, and the times to come back after. */
function read(...pieces: (string | Uint8Array)[]): { messages: Message[]; retries: number[] } {
  const retries: number[] = [];
  const reader = createReader((ms) => retries.push(ms));
  const messages = pieces.flatMap((piece) => reader(typeof piece === "string" ? encode(piece) : piece));
  return { messages, retries };
}

describe("reading an event stream", () => {
  test.each([
    ["a message", "data: a\n\n", [{ event: "message", data: "a" }]],
    ["without the space", "data:a\n\n", [{ event: "message", data: "a" }]],
    ["one space alone is taken away", "data:  a \n\n", [{ event: "message", data: " a " }]],
    ["several lines", "data: a\ndata\ndata: b\n\n", [{ event: "message", data: "a\n\nb" }]],
    ["a name and an id", "event: x\nid: 7\ndata: a\n\n", [{ event: "x", data: "a", id: "7" }]],
    ["an empty name is no name", "event:\ndata: a\n\n", [{ event: "message", data: "a" }]],
    ["an id alone moves the cursor", "id: 7\n: keepalive\n\n", [{ event: "message", data: "", id: "7" }]],
    ["an id with a NUL is none", "id: 7\0\ndata: a\n\n", [{ event: "message", data: "a" }]],
    ["a comment alone is nothing", ": keepalive\n\n", []],
    ["unknown fields are passed over", "datum: a\ndata : b\nxdata: c\n\n", []],
    ["what is not finished is not given", "data: a\n\ndata: b\n", [{ event: "message", data: "a" }]],
    ["CR ends a line at once", "data: a\r\r", [{ event: "message", data: "a" }]],
    ["a byte order mark", "\uFEFFdata: a\n\n", [{ event: "message", data: "a" }]],
    ["a mark in the middle is text", "data: \uFEFFa\n\n", [{ event: "message", data: "\uFEFFa" }]],
  ] as [string, string, Message[]][])("%s", (_, text, messages) => {
    expect(read(text).messages).toEqual(messages);
  });

  test("retry is told where it is a number, and nothing else is", () => {
    expect(read("retry: 250\nretry: soon\nretry: -1\nretry:\nretry: 1e3\n").retries).toEqual([250]);
  });

  test("LF, CR and CRLF, and all of them mixed, read the same, however they are cut", () => {
    for (const end of ["\n", "\r", "\r\n"]) {
      const bytes = encode(`id: 1${end}data: ä${end}data: 心${end}${end}data: z${end}${end}`);
      for (let cut = 0; cut <= bytes.length; cut++) {
        expect(read(bytes.slice(0, cut), bytes.slice(cut)).messages).toEqual([
          { event: "message", data: "ä\n心", id: "1" },
          { event: "message", data: "z" },
        ]);
      }
    }
  });

  test("two thousand streams by chance, cut by chance, read as eventsource-parser reads them", () => {
    const pick = seeded(20_260_102);
    let told = 0;
    for (let round = 0; round < 2000; round++) {
      const text = Array.from({ length: 1 + pick(30) }, () => WORDS[pick(WORDS.length)]).join("");
      const bytes = encode(text);
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; ) {
        const length = 1 + pick(9);
        pieces.push(bytes.slice(at, at + length));
        at += length;
      }
      const expected: Message[] = [];
      const retries: number[] = [];
      const parser = createParser({
        onEvent: ({ event, data, id }) => expected.push({ event: event || "message", data, id }),
        onRetry: (ms) => retries.push(ms),
      });
      parser.feed(text);
      const ours = read(...pieces);
      // It does not give blocks without data, which is why we read for ourselves.
      expect(ours.messages.filter((message) => message.data !== "")).toEqual(
        expected.filter((message) => message.data !== ""),
      );
      expect(ours.retries).toEqual(retries);
      told += expected.length;
    }
    expect(told).toBeGreaterThan(1000);
  });
});

/** What streams are made of: fields right and wrong, ends of lines, and characters of one to four bytes. */
const WORDS = [
  ...[
    "data",
    "data:",
    "data: a",
    "data: ä心😀",
    "data:  b",
    "data: c:d",
    "event: x",
    "event:",
    "id: 1",
    "id: 2-3",
    "id",
  ],
  ...["retry: 10", "retry: x", ": comment", ":", "other: y", "datadata: z"].map((line) => `${line}\n`),
  ..."\n \n\n \r\n \r\n\r\n \n \n\n \r\n\r\n".split(" "),
];
