import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { answers, type Deed, HostileServer, refuses, resets, sends, stalls } from "./hostile-server.ts";
import { until, type Watched, watch } from "./watching.ts";
import { alert, closing, id, keepalive, opened, ready, scope, told } from "./words.ts";

let server: HostileServer;

beforeEach(async () => {
  server = await HostileServer.start();
});
afterEach(() => server.close());

const SNAPSHOT = opened(false) + scope(["bed-1"], ["nurse"]) + told(alert("a")) + told(alert("b")) + ready(4);
const bytes = (text: string) => [...new TextEncoder().encode(text)].map((byte) => Uint8Array.of(byte));

function follow(options: Parameters<typeof watch>[0] = {}): Watched {
  return watch({ baseUrl: server.baseUrl, ...options });
}

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

describe("coming back", () => {
  test("after a cut in the middle of a snapshot the whole snapshot comes again, and what was shown stays until then", async () => {
    const second = opened(false) + told(alert("c")) + ready(9);
    server.will(
      sends([SNAPSHOT], "break"),
      sends([opened(false), told(alert("c"))], "break"),
      sends([opened(false), told(alert("c"))], "break"),
      sends([second]),
    );
    const watched = follow();
    const shown = new Set<string>();
    watched.stream.on("alerts", (alerts) => shown.add([...alerts.keys()].sort().join()));
    await until(() => watched.ids().join() === "c");
    expect([...shown]).toEqual(["a,b", "c"]);
    expect(server.asked.map(({ cursor }) => cursor)).toEqual([undefined, id(4), undefined, undefined]);
  });

  test("a server that cuts after each event loses none, and none comes twice", async () => {
    const log = Array.from({ length: 30 }, (_, i) => told(alert(`a${i}`), i + 5));
    const deed: Deed = (ask, answer) => {
      const cursor = ask.headers["last-event-id"];
      if (!cursor) return sends([SNAPSHOT], "break")(ask, answer);
      const next = log[Number(String(cursor).split("-")[1]) - 4];
      return sends(
        next ? [opened(true), next, ready(0).replace(/^id.*\n/, "")] : [opened(true), ready(34)],
        next ? "break" : "stay",
      )(ask, answer);
    };
    server.will(deed);
    const watched = follow();
    await until(() => watched.stream.cursor === id(34) && watched.stream.state.phase === "live", 30_000);
    expect(watched.events.map(({ alertId }) => alertId)).toEqual(["a", "b", ...log.map((_, i) => `a${i}`)]);
  });

  test("a keepalive moves the cursor of a quiet client", async () => {
    server.will(sends([SNAPSHOT, keepalive(90)], "end"), sends([opened(true) + ready(90)]));
    const watched = follow();
    await until(() => server.asked.length === 2 && watched.stream.state.phase === "live");
    expect(server.asked[1]?.cursor).toBe(id(90));
  });

  test("silence is a lost connection, also in the middle of a message and before an answer", async () => {
    server.will(
      sends([SNAPSHOT]),
      stalls,
      sends([`${opened(true)}id: 77\ndata: {"ale`]),
      sends([opened(true) + ready(5)]),
    );
    const watched = follow({ silenceMs: 100 });
    await until(() => server.asked.length === 4 && watched.stream.state.phase === "live");
    const reasons = watched.states.flatMap((state) => (state.phase === "lost" ? [state.reason] : []));
    expect(reasons.slice(0, 3)).toEqual(["silence", "silence", "silence"]);
    expect(server.asked[3]?.cursor).toBe(id(4));
    expect(watched.ids()).toEqual(["a", "b"]);
  });

  test("whatever comes, also half a message or a comment, shows that the server is there", async () => {
    const trickle: Deed = async (ask, answer) => {
      await sends([SNAPSHOT])(ask, answer);
      for (const piece of [":", " k", "\n", ":\n\n", "da", "ta", ": {", "}"]) {
        await new Promise((resolve) => setTimeout(resolve, 60));
        answer.write(piece);
      }
      answer.write(`\n\n${told(alert("c"), 9)}`);
    };
    server.will(trickle);
    const watched = follow({ silenceMs: 150 });
    await until(() => watched.ids().includes("c"));
    expect(watched.phases()).toEqual(["connecting", "live"]);
  });

  test("`lost` says since when, and when it is tried again", async () => {
    server.will(sends([SNAPSHOT], "break"), resets, resets, sends([opened(true) + ready(4)]));
    const watched = follow();
    await until(() => server.asked.length === 4 && watched.stream.state.phase === "live");
    const lost = watched.states.filter((state) => state.phase === "lost");
    expect(lost).toHaveLength(3);
    expect(new Set(lost.map(({ since }) => since)).size).toBe(1);
    for (const { since, retryAt } of lost) expect(retryAt).toBeGreaterThanOrEqual(since);
  });

  test.each([
    [
      "a wrong content type",
      ((_, answer) => void answer.writeHead(200, { "Content-Type": "text/html" }).end("<p>hi")) as Deed,
    ],
    ["no content type", ((_, answer) => void answer.writeHead(200).end()) as Deed],
    ["an empty stream", sends([], "end")],
    ["429", refuses(429, "too_many_streams")],
    ["503", refuses(503, "draining")],
    ["500 without a problem", ((_, answer) => void answer.writeHead(500).end("oh")) as Deed],
    ["408", refuses(408)],
    ["a reset", resets],
  ])("%s is not final", async (_, deed) => {
    server.will(deed, sends([SNAPSHOT]));
    const watched = follow();
    await watched.phase("live");
    expect(watched.phases()).toEqual(["connecting", "lost", "live"]);
  });

  test("Retry-After is waited for at least", async () => {
    server.will(refuses(503, "draining", { "Retry-After": "1" }), sends([SNAPSHOT]));
    const watched = follow();
    const lost = await watched.phase("lost");
    expect(lost.phase === "lost" && lost.retryAt - lost.since).toBeGreaterThanOrEqual(1000);
  });

  test("a Retry-After that no timer can hold does not make it hammer", async () => {
    server.will(refuses(503, "draining", { "Retry-After": "99999999" }));
    const watched = follow();
    await watched.phase("lost");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(server.asked).toHaveLength(1);
  });

  test("what `stream.closing` asks for is waited for at least", async () => {
    server.will(sends([SNAPSHOT, closing("draining", 200)], "end"), sends([opened(true) + ready(4)]));
    const watched = follow();
    const lost = await watched.phase("lost");
    expect(lost).toMatchObject({ reason: "draining" });
    expect(lost.phase === "lost" && lost.retryAt - lost.since).toBeGreaterThanOrEqual(200);
    await watched.phase("live");
    expect(server.asked[1]?.cursor).toBe(id(4));
  });

  test("the reason that the server gave stays when the connection breaks after it", async () => {
    server.will(sends([SNAPSHOT, closing("slow_consumer")], "break"), sends([opened(true) + ready(4)]));
    const watched = follow();
    expect(await watched.phase("lost")).toMatchObject({ reason: "slow_consumer" });
  });

  test("the end of a token costs no wait, once", async () => {
    server.will(sends([SNAPSHOT, closing("token_expired", 5_000)], "end"), sends([opened(true) + ready(4)]));
    const watched = follow();
    await until(() => watched.phases().join() === "connecting,live,lost,live", 1_000);
  });

  test("after `access_changed` only a snapshot says what may be seen", async () => {
    server.will(
      sends([SNAPSHOT, closing("access_changed")], "end"),
      sends([opened(false) + told(alert("b")) + ready(8)]),
    );
    const watched = follow();
    await until(() => watched.ids().join() === "b");
    expect(server.asked[1]?.cursor).toBeUndefined();
  });
});

describe("what is covered", () => {
  test("alerts of patients and for roles that are not covered any more are taken down", async () => {
    const all = [alert("a"), alert("p2", { patientId: "bed-2" }), alert("d", { recipients: ["doctor"] })];
    const start =
      opened(false) + scope(["bed-1", "bed-2"], ["doctor", "nurse"]) + all.map((it) => told(it)).join("") + ready(4);
    server.will(sends([start, scope(["bed-1"], ["doctor", "nurse"]), scope(["bed-1"], ["nurse"])]));
    const watched = follow();
    await until(() => watched.ids().join() === "a");
  });

  test("an admin sees alerts for all roles, of all patients", async () => {
    server.will(sends([opened(false) + told(alert("a")) + scope(null, ["admin"]) + ready(4)]));
    const watched = follow();
    await watched.phase("live");
    expect(watched.ids()).toEqual(["a"]);
  });

  test("a role that came while it was away brings its open alerts by a snapshot", async () => {
    const doctor = alert("d", { recipients: ["doctor"] });
    server.will(
      sends([SNAPSHOT], "break"),
      sends([opened(true) + scope(["bed-1"], ["doctor", "nurse"]) + ready(4)]),
      sends([opened(false) + scope(["bed-1"], ["doctor", "nurse"]) + told(doctor) + ready(4)]),
    );
    const watched = follow();
    await until(() => watched.ids().join() === "d");
    expect(server.asked.map(({ cursor }) => cursor)).toEqual([undefined, id(4), undefined]);
  });
});

describe("an end for good", () => {
  test.each([
    [204, ""],
    [400, "patient_id_required"],
    [403, "not_on_care_team"],
    [404, "unknown_patient"],
    [410, "gone"],
  ])("%i stops it, with what the server says", async (status, code) => {
    server.will(sends([SNAPSHOT], "break"), refuses(status, code));
    const watched = follow();
    expect(await watched.phase("stopped")).toMatchObject({ status, reason: code || "204" });
    expect(server.asked).toHaveLength(2);
  });

  test("401 is tried once more with a token that is asked for as refused, and stops it then", async () => {
    const refusals: boolean[] = [];
    server.will(refuses(401, "token_expired"));
    const watched = follow({
      auth: (wasRefused) => {
        refusals.push(wasRefused);
        return `token-${refusals.length}`;
      },
    });
    expect(await watched.phase("stopped")).toMatchObject({ status: 401, reason: "token_expired" });
    expect(refusals).toEqual([false, true]);
    expect(server.asked.map(({ token }) => token)).toEqual(["token-1", "token-2"]);
  });

  test("a fresh token goes on from the cursor, and each connection asks for one anew", async () => {
    let tokens = 0;
    server.will(sends([SNAPSHOT], "break"), refuses(401, "token_expired"), sends([opened(true) + ready(4)]));
    const watched = follow({ auth: async () => `token-${++tokens}` });
    await until(() => server.asked.length === 3 && watched.stream.state.phase === "live");
    expect(server.asked.map(({ token, cursor }) => [token, cursor])).toEqual([
      ["token-1", undefined],
      ["token-2", id(4)],
      ["token-3", id(4)],
    ]);
  });

  test("a token that cannot be had, or does not come, is no refusal", async () => {
    let asked = 0;
    server.will(sends([SNAPSHOT]));
    const watched = follow({
      silenceMs: 200,
      auth: () => {
        asked++;
        if (asked === 1) throw new Error("nobody knows");
        return asked === 2 ? new Promise<string>(() => {}) : "token";
      },
    });
    await until(() => watched.stream.state.phase === "live");
    const reasons = watched.states.flatMap((state) => (state.phase === "lost" ? [state.reason] : []));
    expect(reasons).toEqual(["nobody knows", "silence"]);
  });

  test("by cookie, 401 renews the cookies once and then stops it; a renewal that cannot be had is no refusal", async () => {
    server.will(refuses(401), refuses(503), refuses(401), refuses(401, "session_ended"));
    const watched = follow({ auth: "cookie" });
    expect(await watched.phase("stopped")).toMatchObject({ status: 401 });
    expect(server.asked.map(({ method, path }) => `${method} ${path.split("?")[0]}`)).toEqual([
      "GET /api/v1/alerts/stream",
      "POST /api/v1/refresh-token",
      "GET /api/v1/alerts/stream",
      "POST /api/v1/refresh-token",
    ]);
    expect(watched.phases()).toEqual(["connecting", "lost", "stopped"]);
  });

  test("`replaced` stops it, since coming back would push the newer one out", async () => {
    server.will(sends([SNAPSHOT, closing("replaced")], "end"));
    expect(await follow().phase("stopped")).toMatchObject({ reason: "replaced" });
  });
});

describe("closing", () => {
  const states: [string, Deed, (watched: Watched) => Promise<unknown>][] = [
    ["before anything", stalls, async () => {}],
    ["while it connects", stalls, () => until(() => server.asked.length === 1)],
    ["while a snapshot comes", sends([opened(false)]), () => until(() => server.asked.length === 1)],
    ["while it is live", sends([SNAPSHOT]), (watched) => watched.phase("live")],
    ["while it waits", refuses(503, "", { "Retry-After": "9" }), (watched) => watched.phase("lost")],
  ];
  test.each(states)("%s ends it at once, and leaves no connection", async (_, deed, reached) => {
    server.will(deed);
    const watched = follow();
    await reached(watched);
    watched.stream.close();
    await until(() => watched.stream.state.phase === "stopped", 500);
    expect(watched.stream.state).toMatchObject({ reason: "closed" });
    await until(async () => (await server.connections()) === 0 || deed === states[4]?.[1]);
  });

  test("while a token is awaited that never comes", async () => {
    const watched = follow({ auth: () => new Promise<string>(() => {}) });
    watched.stream.close();
    await until(() => watched.stream.state.phase === "stopped", 500);
  });

  test("nothing is told any more of what came with the event at which it was closed", async () => {
    server.will(sends([SNAPSHOT]));
    const watched = follow();
    watched.stream.on("event", () => watched.stream.close());
    await watched.phase("stopped");
    expect(watched.events.map(({ alertId }) => alertId)).toEqual(["a"]);
    expect(watched.ids()).toEqual([]);
  });
});

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

test("without an address of the server, and outside of a page, it says so at once", () => {
  expect(() => watch({ baseUrl: undefined })).toThrow(TypeError);
});

test("an address may end in a slash", async () => {
  server.will(sends([SNAPSHOT]));
  await follow({ baseUrl: `${server.baseUrl}/` }).phase("live");
  expect(server.asked[0]?.path).toMatch(/^\/api/);
});
