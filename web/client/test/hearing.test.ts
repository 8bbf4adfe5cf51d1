import { describe, expect, test } from "vitest";
import { follow, SNAPSHOT, server } from "./against.ts";
import { sends } from "./hostile-server.ts";
import { until } from "./watching.ts";
import { alert, id, opened, ready, scope, told } from "./words.ts";

const bytes = (text: string) => [...new TextEncoder().encode(text)].map((byte) => Uint8Array.of(byte));

describe("what is heard", () => {
  test("a snapshot is published whole, when it is ready", async () => {
    server.will(sends([opened(false), scope(["bed-1"], ["nurse"]), told(alert("a")), told(alert("b"))]));
    const watched = follow();
    await until(() => watched.events.length === 2);
    expect(watched.ids()).toEqual([]);
    expect(watched.phases()).not.toContain("live");
  });

  test("bytes that trickle one by one, with characters cut in two, are read as if they came at once", async () => {
    const named = alert("ä心😀", { reasons: ["größer als 120/min"] });
    server.will(sends(bytes(`\uFEFF${opened(false)}${told(named)}${ready(1)}`.replaceAll("\n", "\r\n"))));
    const watched = follow();
    await watched.phase("live");
    expect(watched.stream.alerts.get("ä心😀")?.reasons).toEqual(["größer als 120/min"]);
  });

  test.each([
    ["LF", "\n"],
    ["CR", "\r"],
    ["CRLF", "\r\n"],
  ])("lines that end in %s", async (_, end) => {
    server.will(sends([SNAPSHOT.replaceAll("\n", end)]));
    const watched = follow();
    await watched.phase("live");
    expect(watched.ids()).toEqual(["a", "b"]);
  });

  test("events of unknown kinds, without JSON or with none that is an alert, are passed over and move the cursor", async () => {
    const odd = `id: ${id(5)}\nevent: stream.weather\ndata: rain\n\nid: ${id(6)}\ndata: null\n\nid: ${id(7)}\ndata: 3\n\n`;
    server.will(sends([SNAPSHOT, odd]));
    const watched = follow();
    await until(() => watched.stream.cursor === id(7));
    expect(watched.phases()).toEqual(["connecting", "live"]);
    expect(watched.ids()).toEqual(["a", "b"]);
  });

  test("an event whose JSON is broken counts as a lost connection, and is asked for again", async () => {
    const broken = `id: ${id(6)}\ndata: {"alertId": "c"\n\n`;
    const rest = opened(true) + told(alert("c"), 6) + ready(6);
    server.will(sends([SNAPSHOT, told(alert("a", { state: "resolved" }), 5), broken]), sends([rest]));
    const watched = follow();
    await until(() => watched.ids().includes("c"));
    expect(watched.ids()).toEqual(["b", "c"]);
    expect(server.asked.map(({ cursor }) => cursor)).toEqual([undefined, id(5)]);
  });

  test("whoever listens badly stops neither the others nor the stream", async () => {
    const thrown: unknown[] = [];
    const catching = (error: unknown) => thrown.push(error);
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException").on("uncaughtException", catching);
    try {
      server.will(sends([SNAPSHOT]));
      const watched = follow();
      watched.stream.on("event", () => {
        throw new Error("a mistake");
      });
      await watched.phase("live");
      expect(watched.ids()).toEqual(["a", "b"]);
      await until(() => thrown.length === 2);
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const other of others) process.on("uncaughtException", other);
    }
  });
});
