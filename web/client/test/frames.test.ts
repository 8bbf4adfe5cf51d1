import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decode } from "../src/message-pack.ts";
import { readFrame } from "../src/vitals-socket.ts";
import { seeded } from "./random.ts";

const buffer = (...bytes: number[]) => Uint8Array.from(bytes).buffer;
const hex = (text: string) => buffer(...(text.match(/[0-9a-f]{2}/g) ?? []).map((byte) => Number.parseInt(byte, 16)));

/** The frames that docs/vitals-protocol.md writes out byte by byte. */
const DOCUMENTED = [
  ...readFileSync(new URL("../../../docs/vitals-protocol.md", import.meta.url), "utf8").matchAll(/```hex\n([^`]*)```/g),
].map(([, block = ""]) => hex(block.replaceAll(/#.*$/gm, "")));

/** `{"type": "ecg", …}` of the page, as a viewer gets it: with its time as text. */
function asViewersGetIt(frame: ArrayBuffer): ArrayBuffer {
  const bytes = [...new Uint8Array(frame)];
  const time = [...new TextEncoder().encode("2026-01-02T03:04:05.250Z")];
  const at = bytes.findIndex((byte, i) => byte === 0xd7 && bytes[i + 1] === 0xff);
  return buffer(...bytes.slice(0, at), 0xa0 | time.length, ...time);
}

describe("frames of the protocol's page", () => {
  test("the numeric", () => {
    expect(DOCUMENTED).toHaveLength(2);
    expect(readFrame(DOCUMENTED[0] as ArrayBuffer)).toEqual({
      kind: "numeric",
      type: "spo2",
      value: 97,
      unit: "%",
      timestamp: Date.parse("2026-01-02T03:04:05.250Z"),
    });
  });

  test("the two leads", () => {
    const frame = readFrame(asViewersGetIt(DOCUMENTED[1] as ArrayBuffer));
    expect(frame).toMatchObject({ kind: "waveform", type: "ecg", leads: ["II", "V5"], sampleRate: 500, unit: "mV" });
    const samples = frame?.kind === "waveform" ? frame.samples.map((lead) => [...lead].map((it) => it.toFixed(3))) : [];
    expect(samples).toEqual([
      ["0.000", "0.570", "-0.120"],
      ["0.010", "0.400", "-0.090"],
    ]);
  });
});

describe("frames", () => {
  const text = (it: string) => [0xa0 | it.length, ...new TextEncoder().encode(it)];

  test("each lead may have a scale and an offset of its own", () => {
    const bytes = [
      ...[0x86, ...text("type"), ...text("ecg"), ...text("leads"), 0x92, ...text("I"), ...text("II")],
      ...[...text("samples"), 0xc4, 4, 1, 0, 0xff, 0xff, ...text("scale"), 0x92, 2, 3, ...text("offset"), 0x92, 10, 20],
      ...[...text("timestamp"), ...text("2026-01-02T03:04:05Z")],
    ];
    const frame = readFrame(buffer(...bytes));
    expect(frame?.kind === "waveform" && frame.samples.map((lead) => [...lead])).toEqual([[12], [17]]);
  });

  test("a lead may have no name", () => {
    const bytes = [0x83, ...text("lead"), 0xc0, ...text("samples"), 0xc4, 2, 7, 0, ...text("scale"), 1];
    expect(readFrame(buffer(...bytes))).toMatchObject({
      kind: "waveform",
      leads: [null],
      samples: [Float32Array.of(7)],
    });
  });

  test("beats, and frames that were skipped", () => {
    const beats = [
      ...[0x83, ...text("event"), ...text("beats"), ...text("lead"), ...text("II")],
      ...[...text("timestamps"), 0x91, 0xd9, 24, ...new TextEncoder().encode("2026-01-02T03:04:05.250Z")],
    ];
    const at = Date.parse("2026-01-02T03:04:05.250Z");
    expect(readFrame(buffer(...beats))).toEqual({ kind: "beats", lead: "II", timestamps: [at] });
    const skipped = [0x82, ...text("event"), ...text("skipped"), ...text("frames"), 37];
    expect(readFrame(buffer(...skipped))).toEqual({ kind: "skipped", frames: 37 });
  });

  test("one of a kind that is not known is passed over, and a broken one counts as skipped", () => {
    expect(readFrame(buffer(0x81, ...text("event"), ...text("weather")))).toBeUndefined();
    expect(readFrame(DOCUMENTED[0]?.slice(0, 30) as ArrayBuffer)).toEqual({ kind: "skipped", frames: 1 });
    expect(readFrame(buffer())).toEqual({ kind: "skipped", frames: 1 });
  });

  test("no bytes by chance make it hang or throw", () => {
    const pick = seeded(7);
    for (let n = 0; n < 20_000; n++) readFrame(buffer(...Array.from({ length: pick(40) }, () => pick(256))));
  });
});

describe("MessagePack", () => {
  const wide = [0xcb, 0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18];
  test.each<[string, number[], unknown]>([
    ["positive fixint", [0x7f], 127],
    ["negative fixint", [0xe0], -32],
    ["nil, false, true", [0x93, 0xc0, 0xc2, 0xc3], [null, false, true]],
    ["uint8", [0xcc, 200], 200],
    ["uint16", [0xcd, 1, 0xf4], 500],
    ["uint32", [0xce, 0, 1, 0, 0], 65_536],
    ["uint64", [0xcf, 0, 0, 0, 1, 0, 0, 0, 0], 2 ** 32],
    ["int8", [0xd0, 0x80], -128],
    ["int16", [0xd1, 0xff, 0x00], -256],
    ["int32", [0xd2, 0xff, 0xff, 0, 0], -65_536],
    ["int64", [0xd3, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], -(2 ** 32)],
    ["float32", [0xca, 0x3f, 0, 0, 0], 0.5],
    ["float64", wide, Math.PI],
    ["str8", [0xd9, 2, 0xc3, 0xa4], "ä"],
    ["str16", [0xda, 0, 1, 0x61], "a"],
    ["str32", [0xdb, 0, 0, 0, 1, 0x61], "a"],
    ["bin8", [0xc4, 2, 1, 2], Uint8Array.of(1, 2)],
    ["bin16", [0xc5, 0, 1, 9], Uint8Array.of(9)],
    ["bin32", [0xc6, 0, 0, 0, 1, 9], Uint8Array.of(9)],
    ["array16", [0xdc, 0, 2, 1, 2], [1, 2]],
    ["array32", [0xdd, 0, 0, 0, 1, 1], [1]],
    ["map16", [0xde, 0, 1, 0xa1, 0x61, 1], { a: 1 }],
    ["map32", [0xdf, 0, 0, 0, 1, 0xa1, 0x61, 1], { a: 1 }],
    ["a map in an array in a map", [0x81, 0xa1, 0x61, 0x91, 0x81, 0xa1, 0x62, 0xc0], { a: [{ b: null }] }],
  ])("%s", (_, bytes, value) => {
    expect(decode(buffer(...bytes))).toEqual(value);
  });

  test.each([
    ["an extension, such as a time of a device", [0xd7, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["a text that is cut off", [0xa5, 0x61]],
    ["a number that is cut off", [0xcb, 0x40]],
    ["an array that says that it is huge", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["nothing", []],
  ])("%s is refused", (_, bytes) => {
    expect(() => decode(buffer(...bytes))).toThrow(RangeError);
  });
});
