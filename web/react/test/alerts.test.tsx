import { type ReactNode, StrictMode } from "react";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { answers, type Deed, HostileServer, refuses, sends, stalls } from "../../client/test/hostile-server.ts";
import { alert, opened, ready, scope, told } from "../../client/test/words.ts";
import {
  type Acknowledging,
  type Alert,
  type AlertEvent,
  type AlertStreamOptions,
  type Call,
  Refused,
  TocsinProvider,
  useAcknowledge,
  useAlert,
  useAlertEvents,
  useAlerts,
  useCall,
  useConnectionState,
  useServerClock,
} from "../src/index.ts";
import { show, showUnder } from "./page.tsx";

let server: HostileServer;

beforeEach(async () => {
  server = await HostileServer.start();
});
afterEach(() => server.close());

const START = opened(false) + scope(["bed-1"], ["nurse"]) + told(alert("a")) + told(alert("b")) + ready(4);

/** The stream stays open; other requests are dealt with one by one. */
function serve(start: string, ...others: Deed[]): { say: (text: string) => void } {
  let stream: Parameters<Deed>[1] | undefined;
  server.will((ask, answer) => {
    if (!ask.url?.includes("/stream")) return others.shift()?.(ask, answer);
    stream = answer;
    return sends([start])(ask, answer);
  });
  return { say: (text) => stream?.write(text) };
}

function options(): AlertStreamOptions {
  return { baseUrl: server.baseUrl, auth: () => "token", role: "nurse", patientId: "bed-1" };
}

function List(): ReactNode {
  const alerts = [...useAlerts().values()].map(({ alertId, state }) => `${alertId} ${state}`);
  return <p>{`${useConnectionState().phase}: ${alerts.join(", ")}`}</p>;
}

describe("the open alerts", () => {
  test("are shown, and follow the stream", async () => {
    const { say } = serve(START);
    const stream = options();
    const page = await showUnder(stream, <List />);
    await page.until(() => page.text() === "live: a active, b active");
    say(told(alert("a", { state: "resolved" }), 5) + told(alert("b", { state: "acknowledged" }), 6));
    await page.until(() => page.text() === "live: b acknowledged");
  });

  test("come over one connection, also in StrictMode, which is closed with the page", async () => {
    serve(START);
    const stream = options();
    const page = await show(
      <StrictMode>
        <TocsinProvider stream={stream}>
          <List />
          <List />
        </TocsinProvider>
      </StrictMode>,
    );
    await page.until(() => page.text().startsWith("live: a active, b active"));
    expect(server.asked).toHaveLength(1);
    await page.leave();
    await page.until(async () => (await server.connections()) === 0);
  });

  test("one of them changes alone, and is gone when it is resolved", async () => {
    const { say } = serve(START);
    const stream = options();
    const seen: (string | undefined)[] = [];
    function One(): ReactNode {
      const it = useAlert("a");
      seen.push(it?.state);
      return <p>{it?.state ?? "none"}</p>;
    }
    const page = await showUnder(stream, <One />);
    await page.until(() => page.text() === "active");
    say(told(alert("b", { state: "acknowledged" }), 5));
    say(told(alert("a", { state: "resolved" }), 6));
    await page.until(() => page.text() === "none");
    expect(seen).toEqual([undefined, "active", undefined]);
  });

  test("events are told once each, to whoever listens at that moment", async () => {
    const { say } = serve(START);
    const stream = options();
    const heard: string[] = [];
    const note = ({ alertId }: AlertEvent) => heard.push(alertId);
    function Listening(): ReactNode {
      useAlertEvents(note);
      return <List />;
    }
    const page = await show(
      <StrictMode>
        <TocsinProvider stream={stream}>
          <Listening />
        </TocsinProvider>
      </StrictMode>,
    );
    await page.until(() => page.text().startsWith("live"));
    say(told(alert("c"), 5));
    await page.until(() => page.text().includes("c active"));
    expect(heard).toEqual(["a", "b", "c"]);
  });
});

describe("acknowledging", () => {
  let acknowledging: Acknowledging;
  let alerts: Map<string, Alert>;

  function Hold(): ReactNode {
    acknowledging = useAcknowledge();
    alerts = new Map(useAlerts());
    return <p>{acknowledging.pending.size} pending</p>;
  }

  async function ward(...others: Deed[]) {
    const { say } = serve(START, ...others);
    const stream = options();
    const page = await showUnder(
      stream,
      <>
        <List />
        <Hold />
      </>,
    );
    await page.until(() => page.text().startsWith("live: a active"));
    return { page, say, a: alerts.get("a") as Alert };
  }

  test("is shown at once, stays when the server has answered, and is the stream's as soon as that tells of it", async () => {
    let answer = () => {};
    const { page, say, a } = await ward(async (ask, it) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      await answers({ ...alert("a", { state: "acknowledged", note: "by the server" }), message: "done" })(ask, it);
    });
    const outcome = acknowledging.acknowledge(a, { note: "on my way" });
    await page.until(() => page.text() === "live: a acknowledged, b active1 pending");
    await page.until(() => server.asked.at(-1)?.body === '{"note":"on my way"}');
    answer();
    await outcome;
    await page.until(() => page.text() === "live: a acknowledged, b active0 pending");
    expect(alerts.get("a")?.note).toBe("by the server");
    say(told(alert("a", { state: "acknowledged", note: "by the stream" }), 5));
    await page.until(() => alerts.get("a")?.note === "by the stream");
    say(told(alert("a", { tier: "critical" }), 6));
    await page.until(() => page.text() === "live: a active, b active0 pending");
  });

  test("is taken back when somebody else was first, who is named", async () => {
    const { page, a } = await ward((ask, answer) => {
      const problem = { status: 409, code: "already_acknowledged", acknowledgedByName: "Ward sister" };
      answer.writeHead(409, { "Content-Type": "application/problem+json" }).end(JSON.stringify(problem));
      void ask;
    });
    const refused = await acknowledging.acknowledge(a).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Refused);
    expect((refused as Refused).problem.acknowledgedByName).toBe("Ward sister");
    await page.until(() => page.text() === "live: a active, b active0 pending");
  });

  test("what the stream has told meanwhile is not taken back by a late refusal", async () => {
    let answer = () => {};
    const { page, say, a } = await ward(async (ask, it) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      await refuses(409, "already_acknowledged")(ask, it);
    });
    const outcome = acknowledging.acknowledge(a).catch((error: unknown) => error);
    await page.until(() => page.text().includes("a acknowledged"));
    say(told(alert("a", { state: "acknowledged", note: "somebody else" }), 5));
    await page.until(() => alerts.get("a")?.note === "somebody else");
    answer();
    expect(await outcome).toBeInstanceOf(Refused);
    await page.until(() => page.text() === "live: a acknowledged, b active0 pending");
  });

  test("resolving takes the alert away at once", async () => {
    const { page, a } = await ward(stalls);
    void acknowledging.resolve(a).catch(() => {});
    await page.until(() => page.text() === "live: b active1 pending");
  });

  test("is tried again when the server does not answer", async () => {
    const done = answers({ ...alert("a", { state: "acknowledged" }), message: "done" });
    const { page, a } = await ward((ask) => void ask.socket.resetAndDestroy(), refuses(503, "draining"), done);
    await acknowledging.acknowledge(a);
    await page.until(() => page.text() === "live: a acknowledged, b active0 pending");
    expect(server.asked.filter(({ method }) => method === "POST")).toHaveLength(3);
  });
});

test("other calls go over the same connection, and the clock is the server's", async () => {
  const hour = 3_600_000;
  serve(START, (ask, answer) => {
    answer.setHeader("Date", new Date(Date.now() + hour).toUTCString());
    return answers({ id: "me" })(ask, answer);
  });
  const stream = options();
  let call: Call | undefined;
  let now = () => 0;
  function Ask(): ReactNode {
    call = useCall();
    now = useServerClock();
    return null;
  }
  const page = await showUnder(
    stream,
    <>
      <Ask />
      <List />
    </>,
  );
  await page.until(() => page.text().startsWith("live"));
  expect(Math.abs(now() - Date.now())).toBeLessThan(1500);
  expect(await call?.("get", "/api/v1/users/me")).toEqual({ id: "me" });
  expect(Math.abs(now() - Date.now() - hour)).toBeLessThan(1500);
  expect(server.asked.at(-1)).toMatchObject({ path: "/api/v1/users/me", token: "token" });
});

test("a hook without a provider says what is missing", async () => {
  await expect(show(<List />)).rejects.toThrow("TocsinProvider");
});
