import { type Alert, useAlerts } from "@tocsin/react";
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";
import { AcknowledgeDialog } from "./AcknowledgeDialog.tsx";
import { ResolveDialog } from "./ResolveDialog.tsx";

interface AlarmActions {
  /** Ask how an alarm is to be acknowledged. */
  acknowledge: (alertId: string) => void;
  /** Ask whether an alarm is to be closed by hand. */
  resolve: (alertId: string) => void;
}

const Context = createContext<AlarmActions>({ acknowledge: () => {}, resolve: () => {} });

/** Has the dialogs in which alarms are acknowledged and closed, for every part of the page. */
export function AlarmDialogs({ children }: { children: ReactNode }): ReactNode {
  const alerts = useAlerts();
  const [open, setOpen] = useState<{ what: "acknowledge" | "resolve"; alert: Alert }>();

  const ask = useCallback(
    (what: "acknowledge" | "resolve", alertId: string) => {
      const alert = alerts.get(alertId);
      if (alert) setOpen((before) => before ?? { what, alert });
    },
    [alerts],
  );
  const actions = useMemo<AlarmActions>(
    () => ({
      acknowledge: (alertId) => ask("acknowledge", alertId),
      resolve: (alertId) => ask("resolve", alertId),
    }),
    [ask],
  );
  const close = useCallback(() => {
    setOpen(undefined);
    const alertId = open?.alert.alertId;
    // The button that opened the dialog may be gone with what it was for.
    setTimeout(() => alertId && focusOn(alertId));
  }, [open]);

  return (
    <Context value={actions}>
      {children}
      {open?.what === "acknowledge" && <AcknowledgeDialog alert={open.alert} onClose={close} />}
      {open?.what === "resolve" && <ResolveDialog alert={open.alert} onClose={close} />}
    </Context>
  );
}

/** Acknowledging and closing alarms from any part of the page. */
export function useAlarmActions(): AlarmActions {
  return useContext(Context);
}

/** Put the focus, if it is nowhere, where the alarm still is; else on the first of those that are left. */
function focusOn(alertId: string): void {
  if (document.activeElement !== document.body) return;
  const places = [`[data-alert-id="${CSS.escape(alertId)}"] a`, "[data-testid='alarm-list'] a", "#alarms-heading"];
  const found = places.map((place) => document.querySelector<HTMLElement>(place)).find((it) => it !== null);
  found?.focus();
}
