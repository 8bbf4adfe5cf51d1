import { describe, expect, test } from "vitest";
import { follow, SNAPSHOT, server } from "./against.ts";
import { type Deed, refuses, sends, stalls } from "./hostile-server.ts";
import { until, type Watched, watch } from "./watching.ts";
import { closing, id, opened, ready } from "./words.ts";

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

test("without an address of the server, and outside of a page, it says so at once", () => {
  expect(() => watch({ baseUrl: undefined })).toThrow(TypeError);
});

test("an address may end in a slash", async () => {
  server.will(sends([SNAPSHOT]));
  await follow({ baseUrl: `${server.baseUrl}/` }).phase("live");
  expect(server.asked[0]?.path).toMatch(/^\/api/);
});
