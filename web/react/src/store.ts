/** What a provider keeps: the alert stream, what was acknowledged and not yet confirmed, and the vital signs watched. */
import {
  type Acknowledgement,
  type Alert,
  type AlertEvent,
  type AlertMap,
  type AlertOutcome,
  type AlertStreamOptions,
  acknowledge,
  type ConnectionState,
  createAlertStream,
  resolve,
} from "@tocsin/client";
import { VitalsStore } from "./vitals-store.ts";

/** An alert as somebody here expects it to become, shown until the stream says what became of it. */
interface Expected {
  base: Alert;
  alert: Alert;
}

const LEAVES_SOCKETS_MS = 5_000;

/** Opens the stream when somebody first listens, so that rendering alone connects to nothing. */
export class Store {
  readonly options: AlertStreamOptions;
  #state: ConnectionState = { phase: "connecting", since: Date.now() };
  #live: AlertMap = new Map();
  #expected = new Map<string, Expected>();
  #alerts: AlertMap = new Map();
  #listeners = new Set<() => void>();
  #eventListeners = new Set<(event: AlertEvent) => void>();
  #vitals = new Map<string, VitalsStore>();

  constructor(options: AlertStreamOptions) {
    this.options = options;
  }

  /** Connect; gives what ends that. */
  open(): () => void {
    const stream = createAlertStream(this.options);
    const offs = [
      stream.on("alerts", (alerts) => {
        this.#live = alerts;
        this.#show();
      }),
      stream.on("event", (event) => {
        for (const listener of this.#eventListeners) listener(event);
      }),
      stream.on("state", (state) => {
        this.#state = state;
        this.#tell();
      }),
    ];
    return () => {
      for (const off of offs) off();
      stream.close();
      // They stay, for those who still hold them: whoever looks again opens the same socket again.
      for (const vitals of this.#vitals.values()) vitals.close();
    };
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  alerts = (): AlertMap => this.#alerts;
  state = (): ConnectionState => this.#state;

  /** Call back for every event of an alert; what it returns ends that. */
  onEvent(listener: (event: AlertEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** Take an alert on, shown at once and taken back when the server refuses. Throws what the client throws. */
  acknowledge(alert: Alert, how: Acknowledgement): Promise<AlertOutcome> {
    return this.#expect(
      alert,
      {
        state: how.status === "resolved" ? "resolved" : "acknowledged",
        signal: "acknowledged",
        responsibility: "accepted",
        nextEscalationAt: null,
        status: how.status ?? "acknowledged",
      },
      () => acknowledge(this.options, alert, how),
    );
  }

  /** Close an alert by hand, shown at once and taken back when the server refuses. */
  resolve(alert: Alert, how: Omit<Acknowledgement, "status"> = {}): Promise<AlertOutcome> {
    return this.#expect(alert, { state: "resolved" }, () => resolve(this.options, alert, how));
  }

  /** A patient's vital signs; one socket however many look, kept a little longer than the last of them. */
  vitals(patientId: string): VitalsStore {
    let vitals = this.#vitals.get(patientId);
    if (!vitals) {
      const { baseUrl, auth } = this.options;
      const role = "role" in this.options ? { role: this.options.role } : {};
      vitals = new VitalsStore({ baseUrl, auth, patientId, ...role }, LEAVES_SOCKETS_MS);
      this.#vitals.set(patientId, vitals);
    }
    return vitals;
  }

  async #expect(alert: Alert, changes: Partial<Alert>, ask: () => Promise<AlertOutcome>): Promise<AlertOutcome> {
    const base = this.#live.get(alert.alertId);
    if (base) this.#put({ base, alert: { ...base, ...changes } });
    try {
      const outcome = await ask();
      if (base) this.#put({ base, alert: outcome });
      return outcome;
    } catch (error) {
      this.#expected.delete(alert.alertId);
      this.#show();
      throw error;
    }
  }

  #put(expected: Expected): void {
    this.#expected.set(expected.base.alertId, expected);
    this.#show();
  }

  #show(): void {
    const shown = new Map(this.#live);
    for (const [id, { base, alert }] of this.#expected) {
      // Once the stream has told of the alert again, it is the stream that knows.
      if (shown.get(id) !== base) this.#expected.delete(id);
      else if (alert.state === "resolved") shown.delete(id);
      else shown.set(id, alert);
    }
    this.#alerts = shown;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
