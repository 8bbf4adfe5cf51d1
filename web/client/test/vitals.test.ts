/** Sockets of vital signs, against the real server. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type ConnectionState, createVitalsSocket, type VitalsFrame, type VitalsSocketOptions } from "../src/index.ts";
import { missing, TocsinServer } from "./tocsin-server.ts";
import { until } from "./watching.ts";

test("where there is no WebSocket, and none is given, it says so at once", () => {
  const { WebSocket } = globalThis;
  Reflect.deleteProperty(globalThis, "WebSocket");
  onTestFinished(() => {
    globalThis.WebSocket = WebSocket;
  });
  const options = { baseUrl: "http://127.0.0.1", auth: () => "", patientId: "bed-1", onFrame: () => {} };
  expect(() => createVitalsSocket(options)).toThrow(TypeError);
  expect(() => createVitalsSocket({ ...options, baseUrl: undefined, WebSocket })).toThrow(TypeError);
});

describe.skipIf(missing)(`vital signs of the server ${missing}`, () => {
  let server: TocsinServer;

  beforeAll(async () => {
    server = await TocsinServer.start();
    const nurse = await server.user("nurse", ["nurse"]);
    const device = await server.user("device", ["device"]);
    for (const id of ["bed-1", "bed-2", "bed-3"]) await server.call("POST", "/api/v1/patients", { id });
    for (const id of ["bed-1", "bed-2"]) {
      for (const user of [nurse, device]) await server.call("PUT", `/api/v1/patients/${id}/care-team/${user}`);
    }
  }, 120_000);
  afterAll(() => server?.close());

  function look(patientId: string, more: Partial<VitalsSocketOptions> = {}) {
    const frames: VitalsFrame[] = [];
    const states: ConnectionState[] = [];
    const socket = createVitalsSocket({
      baseUrl: server.baseUrl,
      auth: () => server.token("nurse"),
      patientId,
      onFrame: (frame) => frames.push(frame),
      onState: (state) => states.push(state),
      ...more,
    });
    onTestFinished(async () => {
      socket.close();
      await until(() => socket.state.phase === "stopped");
    });
    return { socket, frames, states, phases: () => states.map(({ phase }) => phase) };
  }

  /** A device of this patient; sends one frame after the other. */
  async function device(patientId: string): Promise<(frame: object) => void> {
    const address = `${server.baseUrl.replace("http", "ws")}/api/v1/vitals/ws/mobile?patient_id=${patientId}`;
    const socket = new WebSocket(address, ["bearer", server.token("device")]);
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    onTestFinished(() => socket.close(1000));
    return (frame) => socket.send(JSON.stringify({ timestamp: new Date().toISOString(), ...frame }));
  }

  test("numbers and curves of several leads come as the device has sent them", async () => {
    const { socket, frames } = look("bed-1");
    await until(() => socket.state.phase === "live");
    const send = await device("bed-1");
    const timestamp = new Date().toISOString();
    send({ type: "spo2", value: 97, unit: "%", timestamp });
    const leads = { type: "ecg", sampleRate: 250, unit: "mV", leads: ["II", "V5"], timestamp };
    send({
      ...leads,
      scale: 0.001,
      samples: [
        [0, 570, -120],
        [10, 400, -90],
      ],
    });
    await until(() => frames.length === 2);
    expect(frames.find(({ kind }) => kind === "numeric")).toEqual({
      kind: "numeric",
      type: "spo2",
      value: 97,
      unit: "%",
      timestamp: Date.parse(timestamp),
    });
    const curve = frames.find((frame) => frame.kind === "waveform");
    expect(curve).toMatchObject({ type: "ecg", leads: ["II", "V5"], sampleRate: 250, unit: "mV" });
    const expected = [0, 0.57, -0.12, 0.01, 0.4, -0.09];
    for (const [i, sample] of (curve?.samples ?? []).flatMap((lead) => [...lead]).entries()) {
      expect(sample).toBeCloseTo(expected[i] as number, 3);
    }
  });

  test("a cut is told, and the newest readings come again after it", async () => {
    const send = await device("bed-1");
    send({ type: "heart_rate", value: 72, unit: "/min" });
    const { socket, frames, phases } = look("bed-1");
    await until(() => frames.some((frame) => frame.kind === "numeric" && frame.value === 72));
    frames.length = 0;
    server.cut();
    await until(() => phases().includes("lost"));
    await until(() => socket.state.phase === "live" && frames.length > 0);
    expect(phases()).toEqual(["connecting", "live", "lost", "live"]);
  });

  test("silence brings another connection, and ever less often", async () => {
    const { states } = look("bed-2", { silenceMs: 150 });
    /** How long it was live each time before it was lost; a connection that takes too long to open counts for nothing. */
    const silent = () =>
      states.flatMap((state, i) => {
        const before = states[i - 1];
        return state.phase === "lost" && before?.phase === "live" ? [state.since - before.since] : [];
      });
    await until(() => silent().length >= 3);
    expect(states.every((state) => state.phase !== "lost" || state.reason === "silence")).toBe(true);
    for (const [i, atLeastMs] of [140, 290, 590].entries()) expect(silent()[i]).toBeGreaterThanOrEqual(atLeastMs);
  });

  test("somebody else's patient is refused for good, and the reason is told", async () => {
    const { socket } = look("bed-3");
    await until(() => socket.state.phase === "stopped");
    expect(socket.state).toMatchObject({ status: 403, reason: "not_on_care_team" });
  });

  test("a token that is no good is asked for anew, once", async () => {
    const refusals: boolean[] = [];
    const { socket } = look("bed-1", {
      auth: (wasRefused) => {
        refusals.push(wasRefused);
        return "no.token";
      },
    });
    await until(() => socket.state.phase === "stopped");
    expect(socket.state).toMatchObject({ status: 401 });
    expect(refusals).toEqual([false, false, true]);
  });

  test("closing ends it at once, before it is open, while it is live and while it waits", async () => {
    const ends = async ({ socket }: ReturnType<typeof look>) => {
      socket.close();
      await until(() => socket.state.phase === "stopped", 500);
      expect(socket.state).toMatchObject({ reason: "closed" });
    };
    await ends(look("bed-1"));
    const live = look("bed-1");
    await until(() => live.socket.state.phase === "live");
    await ends(live);
    const waiting = look("bed-1", { baseUrl: "http://127.0.0.1:9" });
    await until(() => waiting.socket.state.phase === "lost");
    await ends(waiting);
    await ends(look("bed-1", { auth: () => new Promise<string>(() => {}) }));
  });
});
