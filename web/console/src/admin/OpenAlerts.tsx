import type { components } from "@tocsin/react";
import type { ReactNode } from "react";
import { symbolOfTier } from "../alarms/priority.ts";
import { useFormats } from "../design/useFormats.ts";
import { useStrings } from "../strings/index.tsx";
import style from "./System.module.css";

/** How many alarms are open, and how many of these nobody has taken on. */
export function OpenAlerts({ byTier, open, unacknowledged }: components["schemas"]["OpenAlerts"]): ReactNode {
  const { system: texts } = useStrings().admin;
  const { number } = useFormats();
  return (
    <section className={style.panel}>
      <h2>{texts.openAlerts}</h2>
      <table className={style.counts}>
        <thead>
          <tr>
            <th scope="col">{texts.tier}</th>
            <th scope="col">{texts.open}</th>
            <th scope="col">{texts.withoutOwner}</th>
          </tr>
        </thead>
        <tbody>
          {byTier.map((it) => (
            <tr key={it.tier}>
              <th scope="row">
                <span className={`${style.symbol} ${it.open ? style[it.tier] : ""}`} aria-hidden="true">
                  {symbolOfTier(it.tier)}
                </span>
                {texts.tiers[it.tier]}
              </th>
              <td>{number(it.open)}</td>
              <td>{number(it.unacknowledged)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{texts.total}</th>
            <td>{number(open)}</td>
            <td>{number(unacknowledged)}</td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}
