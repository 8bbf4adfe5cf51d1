import {
  type Acknowledgement,
  type Alert,
  type AlertEvent,
  type AlertMap,
  type AlertOutcome,
  type ConnectionState,
  call,
  type InputOf,
  type Method,
  type OutputOf,
  type PathOf,
  serverNow,
  type VitalsFrame,
} from "@tocsin/client";
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { useStore } from "./provider.tsx";
import type { Numerics } from "./vitals-store.ts";

/** The open alerts by their ids, with what was acknowledged here already on them: a new map whenever one changes. */
export function useAlerts(): AlertMap {
  const store = useStore();
  return useSyncExternalStore(store.subscribe, store.alerts, store.alerts);
}

/** One open alert; undefined once it is resolved, or where there is none with this id. */
export function useAlert(alertId: string): Alert | undefined {
  const store = useStore();
  const get = () => store.alerts().get(alertId);
  return useSyncExternalStore(store.subscribe, get, get);
}

/** Call back for each alert event as it comes, once; `onEvent` may change from render to render. */
export function useAlertEvents(onEvent: (event: AlertEvent) => void): void {
  const store = useStore();
  useEffect(() => store.onEvent(onEvent), [store, onEvent]);
}

/** How the alert stream stands: whether the open alerts can be relied on. */
export function useConnectionState(): ConnectionState {
  const store = useStore();
  return useSyncExternalStore(store.subscribe, store.state, store.state);
}

export interface Acknowledging {
  /** Take an alert on: shown at once, and taken back when the server refuses. Rejects with `Refused`. */
  acknowledge: (alert: Alert, how?: Acknowledgement) => Promise<AlertOutcome>;
  /** Close an alert by hand. Rejects with `Refused`. */
  resolve: (alert: Alert, how?: Omit<Acknowledgement, "status">) => Promise<AlertOutcome>;
  /** The ids of alerts whose answer is awaited. */
  pending: ReadonlySet<string>;
}

/** Acknowledging and resolving, optimistically. */
export function useAcknowledge(): Acknowledging {
  const store = useStore();
  const [pending, setPending] = useState<ReadonlySet<string>>(new Set());
  return useMemo(() => {
    const track = async (alertId: string, ask: () => Promise<AlertOutcome>) => {
      setPending((before) => new Set(before).add(alertId));
      try {
        return await ask();
      } finally {
        setPending((before) => new Set([...before].filter((id) => id !== alertId)));
      }
    };
    return {
      acknowledge: (alert, how = {}) => track(alert.alertId, () => store.acknowledge(alert, how)),
      resolve: (alert, how = {}) => track(alert.alertId, () => store.resolve(alert, how)),
      pending,
    };
  }, [store, pending]);
}

export interface Vitals {
  /** The newest number of each type. */
  numerics: Numerics;
  state: ConnectionState;
  /** Call back for every frame, curves and beats included, outside of React; what it returns ends that. */
  onFrame: (listener: (frame: VitalsFrame) => void) => () => void;
}

/** A patient's vital signs, live; all who look at the same patient share one socket. */
export function useVitals(patientId: string): Vitals {
  const store = useStore();
  const vitals = store.vitals(patientId);
  const numerics = useSyncExternalStore(vitals.subscribe, vitals.numerics, vitals.numerics);
  const state = useSyncExternalStore(vitals.subscribe, vitals.state, vitals.state);
  return useMemo(() => ({ numerics, state, onFrame: vitals.onFrame }), [numerics, state, vitals]);
}

export type Call = <M extends Method, P extends PathOf<M>>(
  method: M,
  path: P,
  input?: InputOf<M, P>,
) => Promise<OutputOf<M, P>>;

/** Any other call of the API over the provider's connection. Rejects with `Refused`. */
export function useCall(): Call {
  const { options } = useStore();
  return useCallback((method, path, input) => call(options, method, path, input), [options]);
}

/** The time on the server, in milliseconds of the epoch; for ages and countdowns that do not trust this machine. */
export function useServerClock(): () => number {
  const { options } = useStore();
  return useCallback(() => serverNow(options), [options]);
}
