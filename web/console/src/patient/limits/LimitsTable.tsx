import type { ReactNode } from "react";
import { signName, unitName } from "../../alarms/message.ts";
import { symbolOfTier } from "../../alarms/priority.ts";
import { useFormats } from "../../design/useFormats.ts";
import { useStrings } from "../../strings/index.tsx";
import type { PatientLimits } from "../../vitals/useLimits.ts";
import { keyOf, type LimitInForce, writtenLimit } from "./draft.ts";
import style from "./Limits.module.css";
import { inOrder } from "./order.ts";

/** Each limit that holds, where it comes from, and what the rules would say. */
export function LimitsTable({ limits }: { limits: PatientLimits }): ReactNode {
  const strings = useStrings().patient.limits;
  const point = useStrings().vitals.decimalPoint;
  const formats = useFormats();
  return (
    <>
      <table className={style.table}>
        <caption className="visually-hidden">{strings.caption}</caption>
        <thead>
          <tr>
            <th scope="col">{strings.limit}</th>
            <th scope="col" className={style.number}>
              {strings.inForce}
            </th>
            <th scope="col" className={style.number}>
              {strings.ofRules}
            </th>
            <th scope="col">{strings.source}</th>
          </tr>
        </thead>
        <tbody>
          {inOrder(limits.limits).map((limit) => (
            <tr key={keyOf(limit)} data-source={limit.source}>
              <th scope="row">
                <LimitName limit={limit} />
              </th>
              <td className={style.number}>
                <b>{writtenLimit(limit.limit, point)}</b>
              </td>
              <td className={style.number}>{writtenLimit(limit.default, point)}</td>
              <td>
                {strings.sources[limit.source]}
                {limit.setBy && (
                  <span className={style.by}>
                    {limit.setBy.name}
                    {limit.setAt && `, ${formats.moment(limit.setAt)}`}
                  </span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {limits.ignored.length > 0 && (
        <ul className={style.ignored}>
          {limits.ignored.map((it) => (
            <li key={`${it.source} ${it.condition} ${it.tier}`}>
              {strings.ignored(it.condition, writtenLimit(it.limit, point), it.setBy.name, it.reason)}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** `*** SpO₂ below`: how bad it is, of what, and on which side. */
export function LimitName({
  limit,
}: {
  limit: Pick<LimitInForce, "tier" | "vitalType" | "direction" | "unit">;
}): ReactNode {
  const strings = useStrings();
  return (
    <>
      <span className={style.symbol} aria-hidden="true">
        {symbolOfTier(limit.tier)}
      </span>
      <span className="visually-hidden">{strings.patient.limits.tiers[limit.tier]} </span>
      {signName(limit.vitalType, strings)} {strings.patient.limits.directions[limit.direction]}{" "}
      <span className={style.unit}>{unitName(limit.unit)}</span>
    </>
  );
}
