import type { ReactNode } from "react";
import { useStrings } from "../../strings/index.tsx";
import type { PatientLimits } from "../../vitals/useLimits.ts";
import { type Draft, type DraftErrors, keyOf, writtenLimit } from "./draft.ts";
import style from "./Limits.module.css";
import { LimitName } from "./LimitsTable.tsx";
import { inOrder } from "./order.ts";

/** A field for each limit: what is left empty stays with the unit or the rules. */
export function LimitFields({
  limits,
  draft,
  errors,
  onWrite,
}: {
  limits: PatientLimits;
  draft: Draft;
  errors: DraftErrors;
  onWrite: (key: string, text: string) => void;
}): ReactNode {
  const strings = useStrings().patient.limits;
  const point = useStrings().vitals.decimalPoint;
  return (
    <ul className={style.fields}>
      {inOrder(limits.limits).map((limit) => {
        const key = keyOf(limit);
        const id = `limit-${key.replaceAll(" ", "-")}`;
        const error = errors[key];
        return (
          <li key={key} className={style.limitField}>
            <label htmlFor={id}>
              <LimitName limit={limit} />
            </label>
            <input
              id={id}
              inputMode="decimal"
              autoComplete="off"
              className={style.input}
              placeholder={writtenLimit(limit.source === "patient" ? limit.default : limit.limit, point)}
              value={draft.limits[key] ?? ""}
              aria-invalid={error ? true : undefined}
              aria-describedby={`${id}-below`}
              onChange={({ target }) => onWrite(key, target.value)}
            />
            <p id={`${id}-below`} className={error ? style.error : style.hint} role={error ? "alert" : undefined}>
              {error ?? strings.now(writtenLimit(limit.limit, point), strings.sources[limit.source])}
            </p>
          </li>
        );
      })}
    </ul>
  );
}
