import { useVitals } from "@tocsin/react";
import { type ReactNode, useEffect, useState } from "react";
import { useStrings } from "../strings/index.tsx";
import { NumberGrid } from "../vitals/NumberGrid.tsx";
import { GAINS, type Gain } from "../vitals/scale.ts";
import { Waveform } from "../vitals/Waveform.tsx";
import { type Coming, ComingCurves } from "./curves.ts";
import style from "./Monitor.module.css";

const HEIGHTS = { ecg: 160, pleth: 120, resp_wave: 96 };

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
            height={type === "ecg" && leads > 3 ? LOW_ECG : HEIGHTS[type]}
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
