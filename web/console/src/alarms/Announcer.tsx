import { type AlertMap, useAlerts } from "@tocsin/react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useStrings } from "../strings/index.tsx";
import { usePatientName } from "../ward/patients.ts";
import { messageOf } from "./message.ts";
import { newsOf } from "./news.ts";
import { worstFirst } from "./order.ts";
import { lookOf } from "./priority.ts";

/** Reads out each new alarm once: at once where its priority is high, when there is a pause for any other. */
export function Announcer(): ReactNode {
  const strings = useStrings();
  const alerts = useAlerts();
  const nameOf = usePatientName();
  const before = useRef<AlertMap>(new Map());
  const [told, setTold] = useState({ urgent: "", calm: "" });

  useEffect(() => {
    const news = worstFirst(newsOf(before.current, alerts));
    before.current = alerts;
    const [worst] = news;
    if (!worst) return;
    const { announced, announcedMany, priority } = strings.alarms;
    const one = announced(priority[lookOf(worst)], messageOf(worst, strings), nameOf(worst.patientId));
    const text = news.length === 1 ? one : announcedMany(news.length, one);
    // What is urgent stays where it is until it has been read, even if something else comes meanwhile.
    setTold((before) => (worst.priority === "high" ? { ...before, urgent: text } : { ...before, calm: text }));
  }, [alerts, strings, nameOf]);

  return (
    <div className="visually-hidden">
      <div aria-live="assertive">{told.urgent}</div>
      <div aria-live="polite">{told.calm}</div>
    </div>
  );
}
