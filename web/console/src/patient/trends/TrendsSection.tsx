import { useServerClock } from "@tocsin/react";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { lookOf, symbolOf } from "../../alarms/priority.ts";
import { Button } from "../../design/Button.tsx";
import { useFormats } from "../../design/useFormats.ts";
import { useStrings } from "../../strings/index.tsx";
import { onLooksChange } from "../../vitals/looks.ts";
import { useBounds } from "../../vitals/useLimits.ts";
import { CHARTS, chartOf } from "./charts.ts";
import { colourOf, type Mark } from "./plot.ts";
import { TrendChart } from "./TrendChart.tsx";
import style from "./Trends.module.css";
import { TrendTable } from "./TrendTable.tsx";
import { useAlertMarks, useTrends } from "./useSeries.ts";
import { fixed, moved, SPANS, stretchOf, type TrendWindow } from "./window.ts";

/** The numbers of a patient over hours and days. */
export function TrendsSection({ patientId }: { patientId: string }): ReactNode {
  const strings = useStrings().patient.trends;
  const clock = useServerClock();
  const [window, setWindow] = useState<TrendWindow>({ kind: "live", span: "1h" });
  const { series, stretch: asked, isPending, isError } = useTrends(patientId, window);
  const stretch = useMemo(() => asked ?? stretchOf(window, clock()), [asked, window, clock]);
  const alerts = useAlertMarks(patientId, window);
  const bounds = useBounds(patientId);
  const section = useRef<HTMLDivElement>(null);
  const [colours, setColours] = useState<Record<string, string>>({});
  useEffect(() => {
    const read = () => {
      const box = section.current;
      if (!box) return;
      const names = ["high", "medium", "low", "technical"] as const;
      const variable = { high: "--high-ink", medium: "--medium-ink", low: "--low-ink", technical: "--low-ink" };
      setColours(Object.fromEntries(names.map((it) => [it, colourOf(variable[it], box)])));
    };
    read();
    return onLooksChange(read);
  }, []);

  const charts = useMemo(
    () =>
      CHARTS.map((spec) => ({
        spec,
        series: spec.types.map((type) => series.get(type)),
        marks: alerts
          .filter((alert) => chartOf(alert.vitalType) === spec.id)
          .map<Mark>((alert) => ({
            time: Date.parse(alert.timestamp),
            symbol: symbolOf(alert),
            colour: colours[lookOf(alert)] ?? "currentColor",
          })),
      })),
    [series, alerts, colours],
  );
  const choose = (since: number, until: number) => setWindow(fixed(since, until, clock()));
  const isLive = window.kind === "live";
  const formats = useFormats();

  return (
    <div ref={section} className={style.section} data-testid="trends" data-pending={isPending}>
      <div className={style.toolbar}>
        <fieldset className={style.spans}>
          <legend className="visually-hidden">{strings.span}</legend>
          {SPANS.map((span) => (
            <Button
              key={span}
              className={style.span}
              aria-pressed={isLive && window.span === span}
              onClick={() => setWindow({ kind: "live", span })}
            >
              {strings.spans[span]}
            </Button>
          ))}
        </fieldset>
        <fieldset className={style.spans}>
          <legend className="visually-hidden">{strings.move}</legend>
          {(["earlier", "later", "closer", "wider"] as const).map((how) => (
            <Button
              key={how}
              className={style.span}
              aria-label={strings.moves[how]}
              title={strings.moves[how]}
              disabled={isLive && how === "later"}
              onClick={() => setWindow(moved(window, how, clock()))}
            >
              <span aria-hidden="true">{{ earlier: "←", later: "→", closer: "+", wider: "−" }[how]}</span>
            </Button>
          ))}
        </fieldset>
        <p className={style.period} aria-live="polite">
          {isError
            ? strings.failed
            : isLive
              ? strings.live
              : `${formats.moment(stretch.since)} – ${formats.moment(stretch.until)}`}
        </p>
      </div>
      <p className={style.hint}>{strings.hint}</p>
      {charts.map(({ spec, series, marks }, i) => (
        <TrendChart
          key={spec.id}
          spec={spec}
          series={series}
          stretch={stretch}
          bounds={bounds.get(spec.types[0] ?? "")}
          marks={marks}
          hasTimeAxis={i === CHARTS.length - 1}
          onSelect={choose}
        />
      ))}
      <TrendTable series={series} stretch={stretch} />
    </div>
  );
}
