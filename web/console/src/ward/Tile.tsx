import type { Alert } from "@tocsin/react";
import { type ReactNode, useId } from "react";
import { Link } from "wouter";
import { foremost } from "../alarms/order.ts";
import { lookOf } from "../alarms/priority.ts";
import { NumberGrid } from "../vitals/NumberGrid.tsx";
import { Waveform } from "../vitals/Waveform.tsx";
import { type Patient, useFreshAfterLoss } from "./patients.ts";
import style from "./Tile.module.css";
import { TakeOn, TileAlarms } from "./TileAlarms.tsx";

const ECG_HEIGHT = 88;
/** Lower, and still room for a usual heart at 10 mm/mV. */
const DENSE_ECG_HEIGHT = 76;

/** One patient at a glance: who, the heart, the numbers, and what is wrong; framed by the foremost alarm. */
export function Tile({
  patient,
  alerts,
  isDense,
}: {
  patient: Patient;
  alerts: readonly Alert[];
  /** Lower, for a ward that has many. */
  isDense: boolean;
}): ReactNode {
  const id = useId();
  const worst = foremost(alerts);
  useFreshAfterLoss(patient.id);
  return (
    <li>
      <article
        className={`${style.tile} ${worst ? `alarm-frame ${style.framed}` : ""}`}
        aria-labelledby={id}
        data-testid="tile"
        data-patient-id={patient.id}
        {...(worst && {
          "data-look": lookOf(worst),
          "data-priority": worst.priority,
          "data-state": worst.state,
          "data-alert-id": worst.alertId,
        })}
      >
        <header className={style.header}>
          <h3 className={style.name} id={id}>
            <Link href={`/patients/${patient.id}`} title={patient.name}>
              {patient.name}
            </Link>
          </h3>
          {!isDense && patient.name !== patient.id && <small className={style.id}>{patient.id}</small>}
          {worst?.state === "active" && <TakeOn alert={worst} patient={patient.name} />}
        </header>
        <Waveform patientId={patient.id} type="ecg" height={isDense ? DENSE_ECG_HEIGHT : ECG_HEIGHT} />
        <div className={style.numbers}>
          <NumberGrid patientId={patient.id} compact />
        </div>
        <TileAlarms alerts={alerts} shown={isDense ? 1 : 3} />
      </article>
    </li>
  );
}
