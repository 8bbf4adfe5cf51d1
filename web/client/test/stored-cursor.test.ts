import { describe, expect, test } from "vitest";
import { follow, SNAPSHOT, server } from "./against.ts";
import { answers, resets, sends } from "./hostile-server.ts";
import { until } from "./watching.ts";
import { alert, id, keepalive, opened, ready, scope, told } from "./words.ts";

describe("a stored cursor", () => {
  test("begins with what is open, brings the events since, and is moved with each of them", async () => {
    const kept: string[] = [];
    const page = { alerts: [alert("a"), alert("b"), alert("other", { recipients: ["doctor"] })], nextCursor: null };
    const rest = told(alert("a", { state: "resolved" }), 5) + told(alert("c"), 6);
    server.will(answers(page), sends([opened(true, 4) + scope(["bed-1"], ["nurse"]) + rest + ready(6)]));
    const watched = follow({ storage: { get: () => id(4), set: (cursor) => void kept.push(cursor) } });
    await watched.phase("live");
    expect(watched.ids()).toEqual(["b", "c"]);
    expect(watched.events.map(({ alertId }) => alertId)).toEqual(["a", "c"]);
    expect(server.asked[1]?.cursor).toBe(id(4));
    await until(() => kept.at(-1) === id(6));
  });

  test("is kept while the server is away at the start", async () => {
    server.will(
      resets,
      answers({ alerts: [], nextCursor: null }),
      resets,
      sends([opened(true) + told(alert("c"), 5) + ready(5)]),
    );
    const watched = follow({ storage: { get: async () => id(4), set: () => {} } });
    await watched.phase("live");
    expect(watched.ids()).toEqual(["c"]);
    expect(server.asked.at(-1)?.cursor).toBe(id(4));
  });

  test("is read page by page", async () => {
    const pages = [
      answers({ alerts: [alert("a")], nextCursor: "17" }),
      answers({ alerts: [alert("b")], nextCursor: null }),
    ];
    server.will(...pages, sends([opened(true) + ready(4)]));
    const watched = follow({ storage: { get: () => id(4), set: () => {} } });
    await watched.phase("live");
    expect(watched.ids()).toEqual(["a", "b"]);
    expect(server.asked[1]?.path).toContain("cursor=17");
  });

  test("a storage that throws or rejects stops nothing", async () => {
    server.will(sends([SNAPSHOT]));
    const throwing = {
      get: (): string => {
        throw new Error("no");
      },
      set: () => Promise.reject(new Error("full")),
    };
    const watched = follow({ storage: throwing });
    await watched.phase("live");
    expect(watched.ids()).toEqual(["a", "b"]);
  });

  test("a slow storage ends with the newest", async () => {
    const kept: string[] = [];
    const set = async (cursor: string) => {
      await new Promise((resolve) => setTimeout(resolve, 30 / (1 + kept.length)));
      kept.push(cursor);
    };
    server.will(sends([SNAPSHOT, keepalive(5), keepalive(6), keepalive(7)]));
    const watched = follow({ storage: { get: () => null, set } });
    await until(() => watched.stream.cursor === id(7));
    await until(() => kept.at(-1) === id(7));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(kept.at(-1)).toBe(id(7));
  });
});
