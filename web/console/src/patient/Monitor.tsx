import { useVitals } from "@tocsin/react";
import { type ReactNode, useEffect, useState, useSyncExternalStore } from "react";
import { useStrings } from "../strings/index.tsx";
import { NumberGrid } from "../vitals/NumberGrid.tsx";
import { GAINS, type Gain } from "../vitals/scale.ts";
import { Waveform } from "../vitals/Waveform.tsx";
import { type Coming, ComingCurves } from "./curves.ts";
import style from "./Monitor.module.css";

/** So that curves and numbers end on the same line; less on a telephone, where they stand below each other. */
const HEIGHTS = { ecg: 188, pleth: 144, resp_wave: 116 };
const LOW_HEIGHTS = { ecg: 116, pleth: 84, resp_wave: 68 };
const IS_NARROW = "(max-width: 760px)";

/** As high as a line of an ECG with twelve leads is. */
const LOW_ECG = 96;

/** The patient's monitor: every curve that comes, with the numbers beside them. */
export function Monitor({ patientId }: { patientId: string }): ReactNode {
  const { monitor } = useStrings().patient;
  const { onFrame } = useVitals(patientId);
  const [curves, setCurves] = useState<readonly Coming[]>(() => new ComingCurves().curves);
  const [gain, setGain] = useState<Gain>(10);
  useEffect(() => {
    const coming = new ComingCurves();
    setCurves(coming.curves);
    return onFrame((frame) => coming.take(frame, performance.now()) && setCurves(coming.curves));
  }, [onFrame]);
  const heights = useSyncExternalStore(onNarrowChange, isNarrow) ? LOW_HEIGHTS : HEIGHTS;
  const leads = curves.filter(({ type }) => type === "ecg").length;
  return (
    <section className={style.monitor} aria-label={monitor.label}>
      <div className={style.curves}>
        {curves.map(({ type, lead }) => (
          <Waveform
            key={`${type} ${lead}`}
            patientId={patientId}
            type={type}
            lead={lead}
            height={type === "ecg" && leads > 3 ? LOW_ECG : heights[type]}
            gain={gain}
          />
        ))}
        <div className={style.foot}>
          <span>{monitor.speed}</span>
          <label>
            {monitor.gain}
            <select value={gain} onChange={({ target }) => setGain(Number(target.value) as Gain)}>
              {GAINS.map((it) => (
                <option key={it} value={it}>
                  {monitor.mmPerMV(it)}
                </option>
              ))}
            </select>
          </label>
        </div>
      </div>
      <div className={style.numbers}>
        <NumberGrid patientId={patientId} />
      </div>
    </section>
  );
}

function isNarrow(): boolean {
  return matchMedia(IS_NARROW).matches;
}

function onNarrowChange(listener: () => void): () => void {
  const query = matchMedia(IS_NARROW);
  query.addEventListener("change", listener);
  return () => query.removeEventListener("change", listener);
}
