import { type Alert, useAlerts } from "@tocsin/react";
import type { ReactNode } from "react";
import { lookOf, symbolOf } from "../alarms/priority.ts";
import { type Strings, useStrings } from "../strings/index.tsx";
import type { Bounds } from "./limits.ts";
import style from "./NumberGrid.module.css";
import { foremostAbout, MISSING, type Reading } from "./readings.ts";
import { type Sign, type SignId, signsShown, written } from "./signs.ts";
import { useBounds } from "./useLimits.ts";
import { useReadings } from "./useReadings.ts";

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
  const readings = useReadings(patientId);
  const alerts = useAlerts();
  const bounds = useBounds(patientId);
  const shown = signsShown((type) => readings.get(type)?.value);
  const signs = only ? only.flatMap((id) => shown.filter((sign) => sign.id === id)) : shown;

  return (
    <dl className={compact ? style.compact : style.grid} data-testid="numbers">
      {signs.map((sign) => (
        <NumberCell
          key={sign.id}
          sign={sign}
          readings={sign.types.map((type) => readings.get(type) ?? MISSING)}
          bounds={bounds.get(sign.types[0] ?? "")}
          alert={foremostAbout(alerts.values(), patientId, sign.types)}
        />
      ))}
    </dl>
  );
}

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
  return (
    <div
      className={`${style.cell} ${style[sign.id]} ${alert ? `alarm-frame ${style.alarmed}` : ""}`}
      {...(alert && { "data-look": lookOf(alert), "data-priority": alert.priority, "data-state": alert.state })}
      data-testid="number"
      data-sign={sign.id}
      data-missing={readings[0]?.value === undefined}
    >
      <dt className={style.name}>
        {name}
        <span className={style.unit}>{unit}</span>
        {alert && (
          <span className={style.symbol}>
            <span aria-hidden="true">{symbolOf(alert)}</span>
            <span className="visually-hidden">{strings.alarmed[lookOf(alert)]}</span>
          </span>
        )}
      </dt>
      <dd className={style.values}>
        <Value sign={sign} readings={readings} />
        <Limits bounds={bounds} sign={sign} />
        <span className={style.below}>
          {readings[2] && <Mean reading={readings[2]} sign={sign} />}
          <span className={style.age}>{age > 0 && strings.age(age)}</span>
        </span>
      </dd>
    </div>
  );
}

/** The number itself; a pressure is systolic over diastolic. */
function Value({ sign, readings: [first = MISSING, second] }: { sign: Sign; readings: Reading[] }): ReactNode {
  const strings = useStrings().vitals;
  const isMissing = first.value === undefined;
  return (
    <span className={style.value}>
      {isMissing && <span className="visually-hidden">{strings.noReading}</span>}
      <span aria-hidden={isMissing}>
        {textOf(first, sign, strings)}
        {second && `/${textOf(second, sign, strings)}`}
      </span>
    </span>
  );
}

/** The mean of a pressure, in brackets as on a monitor. */
function Mean({ reading, sign }: { reading: Reading; sign: Sign }): ReactNode {
  const strings = useStrings().vitals;
  return (
    <span className={style.mean}>
      <span className="visually-hidden">{strings.mean} </span>({textOf(reading, sign, strings)})
    </span>
  );
}

function textOf({ value }: Reading, sign: Sign, strings: Strings["vitals"]): string {
  if (value === undefined) return strings.missing;
  if (typeof value === "boolean") return strings.given(value);
  return typeof value === "number" ? written(value, sign.digits, strings.decimalPoint) : value;
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
