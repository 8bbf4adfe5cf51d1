import { useAlerts } from "@tocsin/react";
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";
import { useAlarmActions } from "../alarms/AlarmDialogs.tsx";
import { foremost } from "../alarms/order.ts";
import { isUntaken } from "../alarms/priority.ts";
import { useSound } from "../alarms/Sound.tsx";
import { focusedAlarm, moveInList } from "../alarms/useKeptFocus.ts";
import { goTo } from "./address.ts";
import { KeysHelp } from "./KeysHelp.tsx";
import { type Command, commandOf } from "./keys.ts";

const KEPT_AS = "tocsin.keys";

const Context = createContext<() => void>(() => {});

/** Single keys for what has to go fast; they can be turned off, for those whose speech types for them. */
export function Keys({ children }: { children: ReactNode }): ReactNode {
  const [isAllowed, setAllowed] = useState(() => localStorage.getItem(KEPT_AS) !== "off");
  const [isHelping, setHelping] = useState(false);
  const alerts = useAlerts();
  const { acknowledge, resolve } = useAlarmActions();
  const { state, toggle } = useSound();

  const act = (command: Command) => {
    const chosen = alerts.get(focusedAlarm() ?? "");
    const first = foremost(alerts.values());
    const next = chosen ?? (first && isUntaken(first) ? first : undefined);
    if (command === "next") moveInList(1);
    else if (command === "previous") moveInList(-1);
    else if (command === "acknowledge" && next) acknowledge(next.alertId);
    else if (command === "resolve" && chosen) resolve(chosen.alertId);
    else if (command === "open" && chosen) goTo(`/patients/${chosen.patientId}`);
    else if (command === "pause" && (state === "on" || state === "paused")) toggle();
    else if (command === "help") setHelping(true);
    else return false;
    return true;
  };
  const latest = useRef(act);
  latest.current = act;

  useEffect(() => {
    if (!isAllowed) return;
    const pressed = (event: KeyboardEvent) => {
      // What is below an open dialog is out of reach for keys, too.
      if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
      const command = commandOf(event, placeOf(event.target));
      if (command && latest.current(command)) event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [isAllowed]);

  return (
    <Context value={() => setHelping(true)}>
      {children}
      {isHelping && (
        <KeysHelp
          isAllowed={isAllowed}
          onAllow={(allowed) => {
            localStorage.setItem(KEPT_AS, allowed ? "on" : "off");
            setAllowed(allowed);
          }}
          onClose={() => setHelping(false)}
        />
      )}
    </Context>
  );
}

/** Show which keys there are. */
export function useKeysHelp(): () => void {
  return useContext(Context);
}

const TYPED_INTO = "input, textarea, select, [contenteditable]";

function placeOf(target: EventTarget | null) {
  const element = target instanceof Element ? target : null;
  return {
    isTyping: Boolean(element?.closest(TYPED_INTO)),
    isInList: Boolean(element?.closest("[data-testid='alarm-list']")),
  };
}
