import { type ReactNode, useState } from "react";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { missing, TocsinServer } from "../../client/test/tocsin-server.ts";
import { type AlertStreamOptions, useVitals, type VitalsFrame } from "../src/index.ts";
import { showUnder } from "./page.tsx";

describe.skipIf(missing)(`vital signs of the server ${missing}`, () => {
  let server: TocsinServer;
  let send: (frame: object) => void;
  const device = { socket: undefined as WebSocket | undefined };

  beforeAll(async () => {
    server = await TocsinServer.start();
    const nurse = await server.user("nurse", ["nurse"]);
    const user = await server.user("device", ["device"]);
    await server.call("POST", "/api/v1/patients", { id: "bed-1" });
    for (const id of [nurse, user]) await server.call("PUT", `/api/v1/patients/bed-1/care-team/${id}`);
    const address = `${server.baseUrl.replace("http", "ws")}/api/v1/vitals/ws/mobile?patient_id=bed-1`;
    const socket = new WebSocket(address, ["bearer", server.token("device")]);
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    device.socket = socket;
    send = (frame) => socket.send(JSON.stringify({ timestamp: new Date().toISOString(), ...frame }));
  }, 120_000);
  afterAll(async () => {
    device.socket?.close(1000);
    await server?.close();
  });

  test("all who look at the same patient share one socket, and get numbers to render and frames to draw", async () => {
    let sockets = 0;
    const { WebSocket } = globalThis;
    globalThis.WebSocket = class extends WebSocket {
      constructor(address: string | URL, protocols?: string | string[]) {
        super(address, protocols);
        sockets++;
      }
    };
    onTestFinished(() => {
      globalThis.WebSocket = WebSocket;
    });
    const frames: VitalsFrame[] = [];
    let onFrame: ReturnType<typeof useVitals>["onFrame"] | undefined;
    function Look(): ReactNode {
      const vitals = useVitals("bed-1");
      onFrame = vitals.onFrame;
      const shown = [...vitals.numerics.values()].map(({ type, value }) => `${type} ${value}`);
      return <p>{`${vitals.state.phase} ${shown.join(", ")};`}</p>;
    }
    const stream: AlertStreamOptions = { baseUrl: server.baseUrl, auth: () => server.token("nurse"), caregiver: true };
    const page = await showUnder(
      stream,
      <>
        <Look />
        <Look />
      </>,
    );
    await page.until(() => page.text().startsWith("live"));
    const off = onFrame?.((frame) => frames.push(frame));
    send({ type: "heart_rate", value: 72, unit: "/min" });
    send({ type: "spo2", value: 97, unit: "%" });
    send({ type: "ecg", sampleRate: 250, unit: "mV", lead: "II", samples: [0, 1, 0] });
    const shown = "live heart_rate 72, spo2 97;";
    await page.until(() => page.text() === shown + shown && frames.some(({ kind }) => kind === "waveform"));
    expect(sockets).toBe(1);
    off?.();
    const before = frames.length;
    send({ type: "heart_rate", value: 73, unit: "/min" });
    await page.until(() => page.text().includes("73"));
    expect(frames).toHaveLength(before);
  });

  test("somebody who was refused sees the patient once they may, without loading the page again", async () => {
    const doctor = await server.user("doctor", ["doctor"]);
    let look: (isLooking: boolean) => void = () => {};
    function Look(): ReactNode {
      return <p>{useVitals("bed-1").state.phase}</p>;
    }
    function Door(): ReactNode {
      const [isLooking, setLooking] = useState(true);
      look = setLooking;
      return isLooking ? <Look /> : "away";
    }
    const stream: AlertStreamOptions = { baseUrl: server.baseUrl, auth: () => server.token("doctor"), caregiver: true };
    const page = await showUnder(stream, <Door />);
    await page.until(() => page.text() === "stopped");
    await server.call("PUT", `/api/v1/patients/bed-1/care-team/${doctor}`);
    look(false);
    await page.until(() => page.text() === "away");
    look(true);
    await page.until(() => page.text() === "live");
  });
});
