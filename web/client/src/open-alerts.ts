/** PURE: the alerts that are open, as the messages of a stream tell them. */
import type { Message } from "./event-stream.ts";
import type { Alert, AlertEvent } from "./types.ts";

export type AlertMap = ReadonlyMap<string, Alert>;

/** Everything that it knows, so that another tab can go on from here. */
export interface Known {
  published: Alert[];
  current: Alert[];
  cursor: string;
  isReady: boolean;
}

/**
 * Keeps the open alerts and the cursor.
 *
 * `published` is what may be shown. It changes only with whole states: while a snapshot or a replay comes it stays as
 * it was, so that nobody sees an alert flash up that has been resolved long ago.
 */
export class OpenAlerts {
  published: AlertMap = new Map();
  cursor = "";
  #current = new Map<string, Alert>();
  #isReady = false;
  #isChanged = false;

  /** Take a message; gives the event where it is one of an alert. */
  take({ event, data, id }: Message): AlertEvent | undefined {
    let told: AlertEvent | undefined;
    const content = data ? JSON.parse(data) : {};
    if (event === "message") {
      if (content.alertId) {
        told = content;
        this.#put(content);
      }
    } else if (event === "stream.opened") {
      this.#isReady = false;
      if (!content.recovered) {
        // A snapshot begins. Until it is complete there is nowhere to come back to.
        this.#current = new Map();
        this.cursor = "";
      }
    } else if (event === "stream.scope") {
      for (const alert of this.#current.values()) if (!covers(content, alert)) this.#remove(alert.alertId);
    } else if (event === "stream.ready") {
      this.#isReady = this.#isChanged = true;
    } else if (event === "stream.closing" && content.reason === "access_changed") {
      // What may be seen is another matter now: only a snapshot tells it.
      this.cursor = "";
    }
    // Only now that it has been taken, so that what was cut off in the middle comes again.
    if (id) this.cursor = id;
    return told;
  }

  /** Publish what has been taken since; gives whether that is anything new. */
  publish(): boolean {
    if (!this.#isReady || !this.#isChanged) return false;
    this.published = new Map(this.#current);
    this.#isChanged = false;
    return true;
  }

  /** Begin with alerts that were read elsewhere, to which the events after the cursor come. */
  seed(alerts: Iterable<Alert>, cursor: string): void {
    this.#current = new Map();
    for (const alert of alerts) this.#put(alert);
    this.cursor = cursor;
  }

  dump(): Known {
    const { published, cursor } = this;
    return { published: [...published.values()], current: [...this.#current.values()], cursor, isReady: this.#isReady };
  }

  load({ published, current, cursor, isReady }: Known): void {
    this.seed(current, cursor);
    this.published = toMap(published);
    this.#isReady = isReady;
    this.#isChanged = false;
  }

  #put(alert: Alert): void {
    if (alert.state === "resolved") this.#remove(alert.alertId);
    else {
      this.#current.set(alert.alertId, alert);
      this.#isChanged = true;
    }
  }

  #remove(alertId: string): void {
    this.#isChanged = this.#current.delete(alertId) || this.#isChanged;
  }
}

/** Whether an alert is still within what the stream covers: the patients, and since 0.1 the roles. */
function covers(scope: { patientIds: string[]; roles?: string[] }, alert: Alert): boolean {
  const { patientIds, roles } = scope;
  return patientIds.includes(alert.patientId) && (!roles || alert.recipients.some((role) => roles.includes(role)));
}

function toMap(alerts: Alert[]): Map<string, Alert> {
  return new Map(alerts.map((alert) => [alert.alertId, alert]));
}
