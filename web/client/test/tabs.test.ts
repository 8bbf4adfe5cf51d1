/** Tabs of one browser: each has streams of its own; between them there are only locks and a channel. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Deed, HostileServer, refuses, resets, sends, stalls } from "./hostile-server.ts";
import { installLocks } from "./locks.ts";
import { until, type Watched, watch } from "./watching.ts";
import { alert, closing, id, opened, ready, scope, told } from "./words.ts";

let server: HostileServer;
let names = 0;

beforeEach(async () => {
  installLocks();
  names++;
  server = await HostileServer.start();
});
afterEach(() => server.close());

const SNAPSHOT = opened(false) + scope(["bed-1"], ["nurse"]) + told(alert("a")) + told(alert("b")) + ready(4);

function tab(options: Parameters<typeof watch>[0] = {}): Watched {
  return watch({ baseUrl: server.baseUrl, share: `somebody-${names}`, ...options });
}

/** A deed that goes on with what it is told to say later. */
function speaks(first: string): { deed: Deed; say: (text: string) => void; cut: () => void } {
  let answer: Parameters<Deed>[1] | undefined;
  return {
    deed: async (ask, it) => {
      answer = it;
      await sends([first])(ask, it);
    },
    say: (text) => answer?.write(text),
    cut: () => answer?.socket?.resetAndDestroy(),
  };
}

async function live(...tabs: Watched[]): Promise<void> {
  for (const one of tabs) await one.phase("live");
}

describe("tabs that share", () => {
  test("have one connection, and each of them every event once and the same map", async () => {
    const { deed, say } = speaks(SNAPSHOT);
    server.will(deed);
    const tabs = [tab(), tab(), tab()];
    await live(...tabs);
    say(told(alert("c"), 5) + told(alert("a", { state: "resolved" }), 6));
    await until(() => tabs.every(({ stream }) => stream.cursor === id(6)));
    for (const one of tabs) {
      expect(one.ids()).toEqual(["b", "c"]);
      expect(one.stream.alerts).toEqual(tabs[0]?.stream.alerts);
      expect(one.events.slice(-2).map(({ alertId }) => alertId)).toEqual(["c", "a"]);
    }
    expect(server.asked).toHaveLength(1);
  });

  test("a tab that comes later begins with what is known, and hears no event of before", async () => {
    const { deed, say } = speaks(SNAPSHOT);
    server.will(deed);
    const first = tab();
    await live(first);
    const second = tab();
    await live(second);
    expect(second.ids()).toEqual(["a", "b"]);
    expect(second.events).toEqual([]);
    say(told(alert("c"), 5));
    await until(() => second.ids().includes("c"));
    expect(server.asked).toHaveLength(1);
  });

  test("a tab that comes in the middle of a snapshot publishes it when it is whole", async () => {
    const { deed, say } = speaks(opened(false) + scope(["bed-1"], ["nurse"]) + told(alert("a")));
    server.will(deed);
    const first = tab();
    await until(() => first.events.length === 1);
    const second = tab();
    await until(() => second.stream.state.phase === "connecting" && second.states.length > 1);
    expect(second.ids()).toEqual([]);
    say(told(alert("b")) + ready(4));
    await live(first, second);
    expect(second.ids()).toEqual(["a", "b"]);
  });

  test("when the one that leads closes, another goes on from the very event", async () => {
    const rest = opened(true) + scope(["bed-1"], ["nurse"]) + told(alert("d"), 6) + ready(6);
    const { deed, say } = speaks(SNAPSHOT);
    server.will(deed, sends([rest]));
    const [first, second] = [tab(), tab()];
    await live(first, second);
    say(told(alert("c"), 5));
    await until(() => second.ids().includes("c"));
    first.stream.close();
    await until(() => second.ids().includes("d"));
    expect(server.asked.map(({ cursor }) => cursor)).toEqual([undefined, id(5)]);
    expect(second.events.map(({ alertId }) => alertId).filter((it) => it > "b")).toEqual(["c", "d"]);
    expect(first.ids()).toEqual(["a", "b", "c"]);
  });

  test("a tab that follows is lost when the one that leads is, and comes back with it", async () => {
    const { deed, cut } = speaks(SNAPSHOT);
    server.will(deed, resets, sends([opened(true) + ready(4)]));
    const [first, second] = [tab(), tab()];
    await live(first, second);
    cut();
    await until(() => second.phases().includes("lost"));
    await until(() => second.phases().join().endsWith("lost,lost,live"));
    expect(second.stream.state).toEqual(first.stream.state);
  });

  test("a refusal stops them all, and none of them asks more than once again", async () => {
    server.will(sends([SNAPSHOT, closing("access_changed")], "end"), refuses(403, "not_on_care_team"));
    const [first, second] = [tab(), tab()];
    const stopped = { phase: "stopped", status: 403, reason: "not_on_care_team" };
    expect(await first.phase("stopped")).toMatchObject(stopped);
    expect(await second.phase("stopped")).toMatchObject(stopped);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.asked.length).toBeLessThanOrEqual(3);
    for (const one of [first, second]) expect(one.stream.state).toMatchObject(stopped);
  });

  test("one that closes and had only followed changes nothing for the others", async () => {
    const { deed, say } = speaks(SNAPSHOT);
    server.will(deed);
    const [first, second, third] = [tab(), tab(), tab()];
    await live(first, second, third);
    second.stream.close();
    await second.phase("stopped");
    say(told(alert("c"), 5));
    await until(() => first.ids().includes("c") && third.ids().includes("c"));
    expect(second.ids()).toEqual(["a", "b"]);
    expect(server.asked).toHaveLength(1);
  });

  test("other names, other servers and other audiences share nothing", async () => {
    server.will(sends([SNAPSHOT]));
    await live(tab(), tab({ share: "somebody else" }), tab({ caregiver: true }));
    expect(server.asked).toHaveLength(3);
  });
});

describe("a tab that hangs", () => {
  test("loses its place, and what it says when it wakes is not listened to", async () => {
    const rest = opened(true) + scope(["bed-1"], ["nurse"]) + told(alert("a", { tier: "critical" }), 6) + ready(6);
    const { deed, say } = speaks(SNAPSHOT);
    server.will(deed, sends([rest]));
    // It hears of nothing within its patience, as if it were asleep: the others are told nothing.
    const hanging = tab({ silenceMs: 60_000 });
    await live(hanging);
    const second = tab({ silenceMs: 100 });
    await until(() => server.asked.length === 2);
    await until(() => second.stream.alerts.get("a")?.tier === "critical");
    say(told(alert("a", { tier: "slight" }), 5));
    const third = tab({ silenceMs: 60_000 });
    await live(hanging, second, third);
    await until(() => hanging.stream.alerts.get("a")?.tier === "critical");
    expect(second.stream.alerts.get("a")?.tier).toBe("critical");
    expect(third.stream.alerts).toEqual(second.stream.alerts);
  });
});

describe("where tabs cannot share", () => {
  test("each has a connection of its own", async () => {
    Object.defineProperty(globalThis, "navigator", { configurable: true, value: undefined });
    server.will(sends([SNAPSHOT]));
    await live(tab(), tab());
    expect(server.asked).toHaveLength(2);
  });

  test("also where the browser has locks and forbids them", async () => {
    const locks = { request: () => Promise.reject(new DOMException("not here", "SecurityError")) };
    Object.defineProperty(globalThis, "navigator", { configurable: true, value: { locks } });
    server.will(sends([SNAPSHOT]));
    const [first, second] = [tab(), tab()];
    await live(first, second);
    expect(server.asked).toHaveLength(2);
    first.stream.close();
    await first.phase("stopped");
    expect(second.stream.state.phase).toBe("live");
  });
});

test("closing before anything has happened ends it", async () => {
  server.will(stalls);
  const one = tab();
  one.stream.close();
  await one.phase("stopped");
});
