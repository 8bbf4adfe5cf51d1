import type { components } from "@tocsin/react";
import type { ReactNode } from "react";
import { countdown } from "../alarms/span.ts";
import { useNow } from "../app/now.ts";
import { useFormats } from "../design/useFormats.ts";
import { useStrings } from "../strings/index.tsx";
import { Facts } from "./Facts.tsx";
import style from "./System.module.css";

/** The escalations that are running, and when the next one is due. */
export function Escalations({ running, overdue, nextDueAt }: components["schemas"]["EscalationTimers"]): ReactNode {
  const { system: texts } = useStrings().admin;
  const { number } = useFormats();
  const left = countdown(nextDueAt, useNow());
  const due = left && (left.late ? texts.lateBy(left.span) : texts.in(left.span));
  return (
    <section className={style.panel}>
      <h2>{texts.escalations}</h2>
      <Facts
        facts={[
          [texts.running, number(running)],
          [texts.overdue, number(overdue), overdue > 0],
          [texts.nextDue, due ?? texts.nothingDue, left?.late ?? false],
        ]}
      />
    </section>
  );
}
