import { type ReactNode, useEffect, useEffectEvent, useMemo, useRef, useState } from "react";
import type uPlot from "uplot";
import { useFormats } from "../../design/useFormats.ts";
import { useStrings } from "../../strings/index.tsx";
import type { Bounds } from "../../vitals/limits.ts";
import { onLooksChange } from "../../vitals/looks.ts";
import { written } from "../../vitals/signs.ts";
import type { ChartSpec } from "./charts.ts";
import { type Mark, plot } from "./plot.ts";
import { columnsOf, type Stretches } from "./points.ts";
import style from "./Trends.module.css";
import type { Stretch } from "./window.ts";

const HEIGHT_PX = 104;

/** One sign over time, with its limits and the alerts about it. */
export function TrendChart({
  spec,
  series,
  stretch,
  bounds,
  marks,
  hasTimeAxis,
  onSelect,
}: {
  spec: ChartSpec;
  series: readonly (Stretches | undefined)[];
  stretch: Stretch;
  bounds: Bounds | undefined;
  marks: readonly Mark[];
  hasTimeAxis: boolean;
  onSelect: (since: number, until: number) => void;
}): ReactNode {
  const strings = useStrings().vitals;
  const { locale } = useFormats();
  const element = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(null);
  const readout = useRef<HTMLSpanElement>(null);
  const [looks, setLooks] = useState(0);
  const data = useMemo(() => columnsOf(series.map((it) => it ?? [])), [series]);
  const { name, unit } = strings.signs[spec.id];

  const shown = useEffectEvent(() => ({ data, bounds, marks, stretch }));
  const select = useEffectEvent((since: number, until: number) => onSelect(since, until));
  // What stands under the cursor changes with every move of the mouse: it is written past React.
  const tell = useEffectEvent((index: number | null) => {
    if (!readout.current) return;
    const number = (column: number) => {
      const value = index === null ? undefined : data[column]?.[index];
      return value == null ? strings.missing : written(value, spec.digits, strings.decimalPoint);
    };
    const [first, second, third] = spec.types.map((_, i) => number(3 * i + 1));
    const text = second === undefined ? first : `${first}/${second} (${third})`;
    readout.current.textContent = index === null ? "" : `${text} ${unit}`;
  });

  useEffect(() => onLooksChange(() => setLooks((it) => it + 1)), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: other looks mean other colours, which only a new chart has.
  useEffect(() => {
    const box = element.current;
    if (!box) return;
    const drawn = plot(
      box,
      {
        spec,
        width: box.clientWidth,
        height: HEIGHT_PX,
        locale,
        hasTimeAxis,
        bounds: () => shown().bounds,
        marks: () => shown().marks,
        stretch: () => ({ min: shown().stretch.since, max: shown().stretch.until }),
        onCursor: (index) => tell(index),
        onSelect: (since, until) => select(since, until),
      },
      shown().data as uPlot.AlignedData,
    );
    chart.current = drawn;
    const sized = new ResizeObserver(() => {
      if (box.clientWidth > 0) drawn.setSize({ width: box.clientWidth, height: drawn.height });
    });
    sized.observe(box);
    return () => {
      sized.disconnect();
      drawn.destroy();
      chart.current = null;
    };
  }, [spec, locale, hasTimeAxis, looks]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the chart asks for all of these when it draws the data.
  useEffect(() => {
    chart.current?.setData(data as uPlot.AlignedData);
  }, [data, stretch, bounds, marks]);

  return (
    <figure className={`${style.chart} ${style[spec.id]}`} data-testid="trend" data-sign={spec.id}>
      <figcaption className={style.caption}>
        <b>{name}</b> <span className={style.unit}>{unit}</span> <span ref={readout} className={style.readout} />
      </figcaption>
      <div ref={element} className={style.plot} aria-hidden="true" />
    </figure>
  );
}
