/** The claim that everything else is for: what is shown is what the server would answer. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Alert, type AlertStreamOptions, acknowledge, Refused, resolve } from "../src/index.ts";
import { seeded } from "./random.ts";
import { missing, TocsinServer } from "./tocsin-server.ts";
import { until, type Watched, watch } from "./watching.ts";

const PATIENTS = ["bed-1", "bed-2", "bed-3"];
const ROLES = ["nurse", "doctor", "caregiver"];
const ROUNDS = Number(process.env.TOCSIN_TEST_ROUNDS ?? 8);
const SEED = Number(process.env.TOCSIN_TEST_SEED ?? 20_260_102);

describe.skipIf(missing)(`the open alerts are those of the server ${missing}`, () => {
  let server: TocsinServer;
  let nurse: string;

  beforeAll(async () => {
    server = await TocsinServer.start();
    nurse = await server.user("nurse", ["nurse"]);
    const doctor = await server.user("doctor", ["doctor", "nurse"]);
    for (const id of PATIENTS) await server.call("POST", "/api/v1/patients", { id, name: id });
    for (const id of PATIENTS) await server.call("PUT", `/api/v1/patients/${id}/care-team/${doctor}`);
    await server.call("PUT", `/api/v1/patients/bed-1/care-team/${nurse}`);
  }, 120_000);
  afterAll(() => server?.close());

  /** What the server answers to this account, of the alerts to one of its roles and of one patient where told so. */
  async function answered(name: string, role?: string, patientId?: string): Promise<Map<string, Alert>> {
    const query = new URLSearchParams({ state: "open", limit: "500", ...(patientId && { patient_id: patientId }) });
    const { alerts, nextCursor } = await server.call("GET", `/api/v1/alerts?${query}`, undefined, name);
    expect(nextCursor).toBeNull();
    const open = (alerts as Alert[]).filter(({ recipients }) => !role || recipients.some((it) => it === role));
    return new Map(open.map((alert) => [alert.alertId, alert]));
  }

  /** The alerts of a stream without what only its events have. */
  function shown({ stream }: Watched): Map<string, Alert> {
    return new Map(
      [...stream.alerts].map(
        ([id, { event: _, occurredAt: __, ...alert }]: [string, Alert & Record<string, unknown>]) => [
          id,
          alert as Alert,
        ],
      ),
    );
  }

  function listen(name: string, audience: object, more: Partial<AlertStreamOptions> = {}): Watched {
    return watch({ baseUrl: server.baseUrl, auth: () => server.token(name), ...audience, ...more });
  }

  test(`after any ${ROUNDS} bursts of events, rights, cuts and crashes (seed ${SEED})`, {
    timeout: 600_000,
  }, async () => {
    const pick = seeded(SEED);
    const any = <T>(of: readonly T[]): T => of[pick(of.length)] as T;
    let stored = "";
    const storage = {
      get: () => stored,
      set: (cursor: string) => {
        stored = cursor;
      },
    };
    const streams: [watched: Watched, name: string, role?: string, patientId?: string][] = [
      [listen("nurse", { caregiver: true }), "nurse"],
      [listen("doctor", { caregiver: true }), "doctor"],
      [listen("admin", { role: "admin", all: true }), "admin"],
      [listen("doctor", { role: "nurse", patientId: "bed-2" }), "doctor", "nurse", "bed-2"],
    ];
    const events = new Map<string, number>();
    const note = (watched: Watched) =>
      watched.stream.on("event", ({ event }) => events.set(event, (events.get(event) ?? 0) + 1));
    let kept: Watched = listen("nurse", { caregiver: true }, { storage });
    for (const [watched] of streams) note(watched);
    let raised = 0;

    const deeds: (() => Promise<unknown>)[] = [
      ...Array.from(
        { length: 4 },
        () => () =>
          server.call("POST", "/api/v1/alerts", {
            patientId: any(PATIENTS),
            vitalType: "heart_rate",
            tier: any(["slight", "moderate", "critical"]),
            reasons: [`the ${++raised}th`],
            condition: `c${pick(12)}`,
            recipients: [any(ROLES), any(ROLES)],
          }),
      ),
      async () => {
        const open = [...(await answered("admin")).values()];
        if (open.length)
          await server.call(
            "POST",
            `/api/v1/alerts/alerts/${any(open).alertId}/acknowledge`,
            { note: "on my way" },
            any(["admin", "doctor"]),
          );
      },
      async () => {
        const open = [...(await answered("admin")).values()];
        if (open.length) await server.call("POST", `/api/v1/alerts/alerts/${any(open).alertId}/resolve`, {});
      },
      () => server.call(any(["PUT", "PUT", "DELETE"]), `/api/v1/patients/${any(PATIENTS)}/care-team/${nurse}`),
      () =>
        server.call("PATCH", `/api/v1/users/${nurse}`, {
          roles: any([["nurse"], ["nurse", "caregiver"], ["doctor"], ["caregiver"]]),
        }),
      async () => server.cut(),
    ];

    for (let round = 0; round < ROUNDS; round++) {
      for (let n = 1 + pick(6); n > 0; n--) await any(deeds)();
      if (pick(3) === 0) {
        // Away for a while: things happen, and rights change, while nobody listens.
        kept.stream.close();
        await until(() => kept.stream.state.phase === "stopped");
        for (let n = 1 + pick(6); n > 0; n--) await any(deeds)();
        kept = listen("nurse", { caregiver: true }, { storage });
      }
      if (round % 15 === 9) {
        await server.kill();
        await server.run();
      }
      for (const [watched, name, role, patientId] of [...streams, [kept, "nurse"] as const]) {
        let expected = new Map<string, Alert>();
        const isEqual = async () => {
          expected = await answered(name, role, patientId);
          return (
            watched.stream.state.phase === "live" &&
            JSON.stringify(sorted(shown(watched))) === JSON.stringify(sorted(expected))
          );
        };
        await until(isEqual, 40_000).catch(() => {});
        expect(
          sorted(shown(watched)),
          `round ${round}, ${name} ${role ?? ""}, ${JSON.stringify(watched.stream.state)}`,
        ).toEqual(sorted(expected));
        expect(watched.stream.state.phase).toBe("live");
      }
    }
    // That it was worth the while: everything that can happen has happened, and was told.
    for (const event of ["alert", "alert_updated", "alert_acknowledged", "alert_resolved"])
      expect(events.get(event)).toBeGreaterThan(0);
  });

  test("no event of the log is missed or told twice, however often the connection is cut", {
    timeout: 120_000,
  }, async () => {
    const watched = listen("admin", { role: "admin", all: true });
    await watched.phase("live");
    const before = watched.events.length;
    for (let n = 0; n < 40; n++) {
      const raise = {
        patientId: "bed-3",
        vitalType: "spo2",
        tier: "moderate",
        reasons: ["test"],
        condition: `once-${n}`,
        recipients: ["nurse"],
      };
      await server.call("POST", "/api/v1/alerts", raise);
      if (n % 3 === 0) server.cut();
    }
    await until(() => watched.events.length >= before + 40 && watched.stream.state.phase === "live");
    expect(watched.events.slice(before).map(({ condition }) => condition)).toEqual(
      Array.from({ length: 40 }, (_, n) => `once-${n}`),
    );
  });

  test("acknowledging says who was first, and repeating it is harmless; resolving takes the alert away", async () => {
    const watched = listen("admin", { role: "admin", all: true });
    const alert: Alert = await server.call("POST", "/api/v1/alerts", {
      patientId: "bed-1",
      vitalType: "spo2",
      tier: "critical",
      reasons: ["test"],
      condition: "acknowledged",
      recipients: ["doctor"],
    });
    const as = (name: string) => ({ baseUrl: server.baseUrl, auth: () => server.token(name) });
    await until(() => watched.stream.alerts.has(alert.alertId));
    const outcome = await acknowledge(as("doctor"), alert, { status: "confirmed", note: "on my way" });
    expect(outcome).toMatchObject({
      state: "acknowledged",
      status: "confirmed",
      note: "on my way",
      acknowledgedByName: "doctor",
    });
    await acknowledge(as("doctor"), alert, { status: "confirmed" });
    const refused = await acknowledge(as("admin"), alert).catch((error) => error);
    expect(refused).toBeInstanceOf(Refused);
    expect(refused).toMatchObject({
      status: 409,
      code: "already_acknowledged",
      problem: { acknowledgedByName: "doctor" },
    });
    await until(() => watched.stream.alerts.get(alert.alertId)?.state === "acknowledged");
    expect(await resolve(as("doctor"), alert, { note: "well again" })).toMatchObject({ state: "resolved" });
    await until(() => !watched.stream.alerts.has(alert.alertId));
  });
});

/** By id, so that two of them can be compared. */
function sorted(alerts: Map<string, Alert>): [string, unknown][] {
  const inOrder = (alert: Alert) => Object.fromEntries(Object.entries(alert).sort(([a], [b]) => (a < b ? -1 : 1)));
  return [...alerts].map(([id, alert]): [string, unknown] => [id, inOrder(alert)]).sort(([a], [b]) => (a < b ? -1 : 1));
}
