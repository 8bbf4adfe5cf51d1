import { type ReactNode, useMemo, useState } from "react";
import { useFormats } from "../../design/useFormats.ts";
import { useStrings } from "../../strings/index.tsx";
import { written } from "../../vitals/signs.ts";
import { CHARTS, TYPES } from "./charts.ts";
import { type Stretches, tabulate } from "./points.ts";
import style from "./Trends.module.css";
import type { Stretch } from "./window.ts";

const LINES = 48;

/** The trends in numbers: for those who do not see the charts, and for those who want to write one down. */
export function TrendTable({
  series,
  stretch,
}: {
  series: ReadonlyMap<string, Stretches>;
  stretch: Stretch;
}): ReactNode {
  const strings = useStrings();
  const [isOpen, setOpen] = useState(false);
  return (
    <details className={style.table} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{strings.patient.trends.table}</summary>
      {isOpen && <Table series={series} stretch={stretch} />}
    </details>
  );
}

function Table({ series, stretch }: { series: ReadonlyMap<string, Stretches>; stretch: Stretch }): ReactNode {
  const { vitals, patient } = useStrings();
  const { locale } = useFormats();
  const rows = useMemo(
    () =>
      tabulate(
        TYPES.map((type) => series.get(type) ?? []),
        stretch.since,
        stretch.until,
        LINES,
      ),
    [series, stretch],
  );
  const time = new Intl.DateTimeFormat(locale, {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...(stretch.until - stretch.since < 3_600_000 ? { second: "2-digit" } : {}),
    ...(stretch.until - stretch.since > 86_000_000 ? { day: "numeric", month: "short" } : {}),
  });
  if (rows.length === 0) return <p>{patient.trends.nothing}</p>;
  return (
    <div className={style.scroll}>
      <table>
        <caption className="visually-hidden">{patient.trends.tableCaption}</caption>
        <thead>
          <tr>
            <th scope="col">{patient.trends.from}</th>
            {CHARTS.map(({ id }) => (
              <th key={id} scope="col">
                {vitals.signs[id].name} <span className={style.unit}>{vitals.signs[id].unit}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.time}>
              <th scope="row">{time.format(row.time)}</th>
              {CHARTS.map(({ id, types, digits }) => {
                const [first, second, third] = types.map((type) => {
                  const value = row.values[TYPES.indexOf(type)];
                  return value === undefined ? vitals.missing : written(value, digits, vitals.decimalPoint);
                });
                return <td key={id}>{second === undefined ? first : `${first}/${second} (${third})`}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
