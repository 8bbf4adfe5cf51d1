/** PURE: the alerts that are open, as the messages of a stream tell them. */
import type { Message } from "./event-stream.ts";
import type { Alert, AlertEvent } from "./types.ts";

export type AlertMap = ReadonlyMap<string, Alert>;

/** What a stream covers: alerts for these roles (for admins, every one), of these patients, or of all of them. */
interface Coverage {
  patientIds: string[] | null;
  roles: string[];
}

/** Everything that is known; what another tab is told, so that it can go on from here. */
export interface Known {
  /** What may be shown: it changes only with whole states, and is another map then. */
  published: AlertMap;
  /** What has been heard; also the half of a snapshot. */
  current: Map<string, Alert>;
  /** Up to where everything is known; empty where only a snapshot will do. */
  cursor: string;
  roles?: string[];
  isReady: boolean;
  isChanged: boolean;
}

/**
 * Keeps the open alerts and the cursor.
 *
 * While a snapshot or a replay comes, what is published stays as it was, so that nobody sees an alert flash up that has
 * been resolved long ago.
 */
export class OpenAlerts {
  known: Known = { published: new Map(), current: new Map(), cursor: "", isReady: false, isChanged: false };

  /**
   * Take a message; gives the event where it is one of an alert. Unknown kinds of messages only move the cursor.
   *
   * Throws for one that cannot be read, and where only a new connection brings what is missing: the cursor is then
   * where that one has to begin.
   */
  take({ event, data, id }: Message): AlertEvent | undefined {
    const { known } = this;
    let told: AlertEvent | undefined;
    if (event === "message") {
      const content = data && JSON.parse(data);
      if (content?.alertId) {
        told = content;
        this.#put(content);
      }
    } else if (event === "stream.opened") {
      known.isReady = false;
      if (!JSON.parse(data).recovered) {
        // A snapshot begins. Until it is complete there is nowhere to come back to.
        known.current = new Map();
        known.cursor = "";
      }
    } else if (event === "stream.scope") this.#cover(JSON.parse(data));
    else if (event === "stream.ready") known.isReady = known.isChanged = true;
    else if (event === "stream.closing" && JSON.parse(data).reason === "access_changed") {
      // What may be seen is another matter now: only a snapshot tells it.
      known.cursor = "";
    }
    // Only now that it has been taken, so that what was cut off in the middle comes again.
    if (id) known.cursor = id;
    return told;
  }

  /** Publish what has been taken since; gives whether that is anything new. */
  publish(): boolean {
    const { known } = this;
    const isNew = known.isReady && known.isChanged;
    if (isNew) {
      known.published = new Map(known.current);
      known.isChanged = false;
    }
    return isNew;
  }

  /** Begin with alerts that were read elsewhere, to which the events after the cursor come. */
  seed(alerts: Iterable<Alert>, cursor: string): void {
    for (const alert of alerts) this.#put(alert);
    this.known.cursor = cursor;
  }

  /** Take down what is not covered. */
  #cover({ patientIds, roles }: Coverage): void {
    const { known } = this;
    const had = known.roles;
    // With a cursor come the open alerts of patients who are new, but not those for a role that is.
    if (had && known.cursor && !known.isReady && roles.some((role) => !had.includes(role))) {
      known.cursor = "";
      throw new Error("roles_changed");
    }
    known.roles = roles;
    for (const { alertId, patientId, recipients } of known.current.values()) {
      const isOurs = roles.includes("admin") || recipients.some((role) => roles.includes(role));
      if (!isOurs || (patientIds && !patientIds.includes(patientId))) this.#remove(alertId);
    }
  }

  #put(alert: Alert): void {
    if (alert.state === "resolved") this.#remove(alert.alertId);
    else {
      this.known.current.set(alert.alertId, alert);
      this.known.isChanged = true;
    }
  }

  #remove(alertId: string): void {
    if (this.known.current.delete(alertId)) this.known.isChanged = true;
  }
}
