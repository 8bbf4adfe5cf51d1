import { type Alert, useAlerts, useConnectionState, useVitals } from "@tocsin/react";
import { type ReactNode, useState } from "react";
import { useStrings } from "../strings/index.tsx";
import type { Bounds } from "./limits.ts";
import style from "./NumberGrid.module.css";
import { MISSING, type Reading, readingOf, Sightings, worstAbout } from "./readings.ts";
import { SIGNS, type Sign, type SignId, signsShown, written } from "./signs.ts";
import { useBounds } from "./useLimits.ts";
import { useSecond } from "./useSecond.ts";

export interface NumberGridProps {
  patientId: string;
  /** For a tile of the ward: heart rate and saturation large, the rest small, in two rows. */
  compact?: boolean;
  /** Only these, in this order. */
  only?: readonly SignId[];
}

/**
 * The newest numbers of a patient, with their limits.
 *
 * None is ever shown as if it were current when it is not: it gets its age, and then `--`; and all of them are `--`
 * where this screen is not in touch with the patient or with the alarms.
 */
export function NumberGrid({ patientId, compact = false, only }: NumberGridProps): ReactNode {
  const { numerics, state } = useVitals(patientId);
  const alerts = useAlerts();
  const isInTouch = useConnectionState().phase === "live" && state.phase === "live";
  const bounds = useBounds(patientId);
  const now = useSecond();
  const [sightings] = useState(() => new Sightings());

  const reading = (type: string, sign: Sign): Reading => {
    const numeric = numerics.get(type);
    if (!isInTouch || !numeric) return MISSING;
    return readingOf(numeric, sign.measured, sightings.seenAt(numeric, now), now);
  };
  const measured = new Map(SIGNS.flatMap((sign) => sign.types.map((type) => [type, reading(type, sign)])));
  const shown = signsShown((type) => measured.get(type)?.value);
  const signs = only ? only.flatMap((id) => shown.filter((sign) => sign.id === id)) : shown;

  return (
    <dl className={compact ? style.compact : style.grid} data-testid="numbers">
      {signs.map((sign) => (
        <NumberCell
          key={sign.id}
          sign={sign}
          readings={sign.types.map((type) => measured.get(type) ?? MISSING)}
          bounds={bounds.get(sign.types[0] ?? "")}
          alert={worstAbout(alerts.values(), patientId, sign.types)}
        />
      ))}
    </dl>
  );
}

const SYMBOLS = { high: "***", medium: "**", low: "*" } as const;

function NumberCell({
  sign,
  readings,
  bounds,
  alert,
}: {
  sign: Sign;
  readings: Reading[];
  bounds: Bounds | undefined;
  alert: Alert | undefined;
}): ReactNode {
  const strings = useStrings().vitals;
  const { name, unit } = strings.signs[sign.id];
  const age = Math.max(...readings.map((it) => it.age ?? 0));
  const look = alert && (alert.kind === "technical" ? "technical" : alert.priority);
  const classes = [style.cell, style[sign.id], look && style[look], alert?.state === "active" && style.untaken];
  return (
    <div
      className={classes.filter(Boolean).join(" ")}
      data-testid="number"
      data-sign={sign.id}
      data-missing={readings[0]?.value === undefined}
    >
      <dt className={style.name}>
        {name}
        <span className={style.unit}>{unit}</span>
        {alert && look && (
          <span className={style.symbol}>
            <span aria-hidden="true">{look === "technical" ? "!!!" : SYMBOLS[alert.priority]}</span>
            <span className="visually-hidden">{strings.alarmed[look]}</span>
          </span>
        )}
      </dt>
      <dd className={style.values}>
        <Value sign={sign} readings={readings} />
        <Limits bounds={bounds} sign={sign} />
        <span className={style.age}>{age > 0 && strings.age(age)}</span>
      </dd>
    </div>
  );
}

/** The number itself; a pressure is systolic over diastolic, and its mean. */
function Value({ sign, readings }: { sign: Sign; readings: Reading[] }): ReactNode {
  const strings = useStrings().vitals;
  const text = ({ value }: Reading): string => {
    if (value === undefined) return strings.missing;
    if (sign.id === "awake") return String(value);
    if (typeof value === "boolean") return strings.given(value);
    return typeof value === "number" ? written(value, sign.digits, strings.decimalPoint) : value;
  };
  const [first = MISSING, second, third] = readings;
  const isMissing = first.value === undefined;
  return (
    <span className={style.value}>
      {isMissing && <span className="visually-hidden">{strings.noReading}</span>}
      <span className={style.number} aria-hidden={isMissing}>
        {text(first)}
        {second && <span className={style.second}>/{text(second)}</span>}
      </span>
      {third && <span className={style.mean}>({text(third)})</span>}
    </span>
  );
}

/** The upper limit over the lower one. */
function Limits({ bounds, sign }: { bounds: Bounds | undefined; sign: Sign }): ReactNode {
  const strings = useStrings().vitals;
  const { low, high } = bounds ?? {};
  const limit = (value: number | undefined) => value !== undefined && written(value, sign.digits, strings.decimalPoint);
  return (
    <span className={style.limits}>
      {high !== undefined && (
        <span>
          <span className="visually-hidden">{strings.upperLimit} </span>
          {limit(high)}
        </span>
      )}
      {low !== undefined && (
        <span>
          <span className="visually-hidden">{strings.lowerLimit} </span>
          {limit(low)}
        </span>
      )}
    </span>
  );
}
