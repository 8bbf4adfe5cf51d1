import { useAlerts } from "@tocsin/react";
import { type ReactNode, useMemo } from "react";
import { goTo, useQueryOfAddress } from "../app/address.ts";
import { Boundary } from "../app/Boundary.tsx";
import { PartFailed } from "../app/Failed.tsx";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { Spinner } from "../design/Spinner.tsx";
import { useStrings } from "../strings/index.tsx";
import { byPatient } from "./by-patient.ts";
import { byUnit } from "./order.ts";
import { usePatients } from "./patients.ts";
import { Tile } from "./Tile.tsx";
import { UnitFilter } from "./UnitFilter.tsx";
import style from "./WardView.module.css";

/** From so many tiles on they are lower, so that a ward screen has fifteen of them in sight and not eight. */
const DENSE_FROM = 13;

/** Every patient whom the user may see, a tile each, unit by unit. */
export function WardView(): ReactNode {
  const { ward } = useStrings();
  const { data, isError, refetch } = usePatients();
  const alerts = useAlerts();
  const ofPatient = useMemo(() => byPatient(alerts.values()), [alerts]);
  const units = useMemo(() => byUnit(data ?? []), [data]);
  const chosen = useQueryOfAddress().get("unit");
  const shown = chosen === null ? units : units.filter(({ unit }) => (unit ?? "") === chosen);
  const isDense = shown.reduce((sum, { patients }) => sum + patients.length, 0) >= DENSE_FROM;

  return (
    <div className={style.ward} data-dense={isDense}>
      <header className={style.header}>
        <h1>{ward.heading}</h1>
        {data && <p className={style.count}>{ward.patients(data.length)}</p>}
        {units.length > 1 && (
          <UnitFilter
            units={units}
            chosen={chosen}
            onChoose={(unit) => goTo(unit === null ? "/" : `/?unit=${encodeURIComponent(unit)}`, { replace: true })}
          />
        )}
      </header>
      {isError && (
        <Banner kind="wrong">
          <div className={style.failed}>
            <p>{ward.failed}</p>
            <Button onClick={() => refetch()}>{ward.tryAgain}</Button>
          </div>
        </Banner>
      )}
      {!data && !isError && <Spinner label={ward.loading} />}
      {data?.length === 0 && (
        <Banner>
          <p>{ward.none}</p>
          <p>{ward.noneHint}</p>
        </Banner>
      )}
      {data && data.length > 0 && shown.length === 0 && <p>{ward.noneInUnit}</p>}
      {shown.map(({ unit, patients }) => (
        <section key={unit ?? ""} aria-label={unit ?? ward.noUnit}>
          {units.length > 1 && <h2 className={style.unit}>{unit ?? ward.noUnit}</h2>}
          <ul className={style.tiles}>
            {patients.map((patient) => (
              <Boundary
                key={patient.id}
                instead={(again) => (
                  <li>
                    <PartFailed what={patient.name} again={again} />
                  </li>
                )}
              >
                <Tile patient={patient} alerts={ofPatient.get(patient.id) ?? NOTHING} isDense={isDense} />
              </Boundary>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

const NOTHING: never[] = [];
