import { useAlerts } from "@tocsin/react";
import { lazy, type ReactNode, Suspense, useId, useMemo } from "react";
import { Link } from "wouter";
import { AlarmRow } from "../alarms/AlarmRow.tsx";
import { worstFirst } from "../alarms/order.ts";
import { useQueryOfAddress } from "../app/address.ts";
import { Banner } from "../design/Banner.tsx";
import { Spinner } from "../design/Spinner.tsx";
import { Tabs } from "../design/Tabs.tsx";
import { useMe } from "../session/Session.tsx";
import { useStrings } from "../strings/index.tsx";
import { useFreshAfterLoss, usePatients } from "../ward/patients.ts";
import { LimitsSection } from "./limits/LimitsSection.tsx";
import { Monitor } from "./Monitor.tsx";
import style from "./PatientPage.module.css";
import { TimelineSection } from "./timeline/TimelineSection.tsx";

// The charts are the largest part of the console, and only this page has them.
const TrendsSection = lazy(async () => ({ default: (await import("./trends/TrendsSection.tsx")).TrendsSection }));

const PARTS = ["trends", "alarms", "limits"] as const;
type Part = (typeof PARTS)[number];

/** Everything about one patient, for as long as the user may see them. */
export function PatientPage({ patientId }: { patientId: string }): ReactNode {
  const { patient } = useStrings();
  const { data } = usePatients();
  const { patientId: own } = useMe();
  // What was loaded while it was allowed is not shown any longer than that; until it is known, the server decides. But
  // a patient is sent their own readings whomever they ask about, and these must not stand below another's name.
  const isTheirs = data?.some(({ id }) => id === patientId) ?? (!own || own === patientId);
  return (
    <div className={style.page} key={patientId}>
      <PatientHeader patientId={patientId} />
      {isTheirs ? (
        <PatientRecord patientId={patientId} />
      ) : (
        <Banner>
          <p>{patient.notYours}</p>
          <p>{patient.notYoursHint}</p>
        </Banner>
      )}
    </div>
  );
}

/** What is wrong, the monitor, and below it how it came to this. */
function PatientRecord({ patientId }: { patientId: string }): ReactNode {
  const { patient } = useStrings();
  const wanted = useQueryOfAddress().get("show");
  const part = PARTS.find((it) => it === wanted) ?? "trends";
  useFreshAfterLoss(patientId);
  return (
    <>
      <OpenAlarms patientId={patientId} />
      <Monitor patientId={patientId} />
      <Tabs
        label={patient.parts.label}
        tabs={PARTS.map((it) => ({
          href: `#/patients/${encodeURIComponent(patientId)}?show=${it}`,
          text: patient.parts[it],
          isCurrent: it === part,
        }))}
      />
      <div className={style.part}>
        <h2 className="visually-hidden">{patient.headings[part]}</h2>
        <Suspense fallback={<Spinner label={patient.trends.loading} />}>
          <PatientPart part={part} patientId={patientId} />
        </Suspense>
      </div>
    </>
  );
}

function PatientPart({ part, patientId }: { part: Part; patientId: string }): ReactNode {
  if (part === "alarms") return <TimelineSection patientId={patientId} />;
  if (part === "limits") return <LimitsSection patientId={patientId} />;
  return <TrendsSection patientId={patientId} />;
}

function PatientHeader({ patientId }: { patientId: string }): ReactNode {
  const { patient } = useStrings();
  const { data } = usePatients();
  const known = data?.find(({ id }) => id === patientId);
  return (
    <header className={style.header}>
      <Link href="/" className={style.back}>
        <span aria-hidden="true">←</span> {patient.back}
      </Link>
      <h1>{known?.name ?? patientId}</h1>
      <p className={style.facts}>
        {known && known.name !== patientId && <span>{patient.id(patientId)}</span>}
        {known?.unit && <span>{patient.unit(known.unit)}</span>}
      </p>
    </header>
  );
}

function OpenAlarms({ patientId }: { patientId: string }): ReactNode {
  const { patient } = useStrings();
  const id = useId();
  const alerts = useAlerts();
  const open = useMemo(
    () => worstFirst([...alerts.values()].filter((alert) => alert.patientId === patientId)),
    [alerts, patientId],
  );
  if (open.length === 0) return null;
  return (
    <section aria-labelledby={id}>
      <h2 id={id} className="visually-hidden">
        {patient.open}
      </h2>
      <ol className={style.open} data-testid="patient-alarms">
        {open.map((alert) => (
          <AlarmRow key={alert.alertId} alert={alert} />
        ))}
      </ol>
    </section>
  );
}
