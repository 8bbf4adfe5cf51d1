import { describe, expect, test } from "vitest";
import { follow, SNAPSHOT, server } from "./against.ts";
import { type Deed, refuses, resets, sends, stalls } from "./hostile-server.ts";
import { until } from "./watching.ts";
import { alert, closing, id, keepalive, opened, ready, scope, told } from "./words.ts";

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
