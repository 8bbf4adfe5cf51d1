import { useVitals, type VitalsFrame } from "@tocsin/react";
import { memo, type ReactNode, useEffect, useRef, useState } from "react";
import { useStrings } from "../strings/index.tsx";
import { Curve, type CurveStatus } from "./curve.ts";
import { onLooksChange, wantsStillness } from "./looks.ts";
import { eachFrame } from "./loop.ts";
import type { Gain } from "./scale.ts";
import style from "./Waveform.module.css";

export type CurveType = "ecg" | "pleth" | "resp_wave";

export interface WaveformProps {
  patientId: string;
  type: CurveType;
  /** Which lead of an ECG; lead II, else the first that comes, where none is said. */
  lead?: string | undefined;
  /** In CSS pixels. */
  height: number;
  /** Millimetres for a millivolt, at most: a curve that does not fit is drawn half as high, which its label says. */
  gain?: Gain | undefined;
}

type OnFrame = (listener: (frame: VitalsFrame) => void) => () => void;

const SILENT: CurveStatus = { hasSignal: false, lead: null, mmPerMV: null };

/** The curve of a patient, live, at 25 mm/s; it says so where no signal comes. */
export function Waveform({ patientId, ...rest }: WaveformProps): ReactNode {
  const { onFrame } = useVitals(patientId);
  // Numbers come every second and change nothing here: what draws is not rendered again for them.
  return <Drawn key={`${patientId} ${rest.type} ${rest.lead}`} onFrame={onFrame} {...rest} />;
}

const Drawn = memo(function Drawn({
  onFrame,
  type,
  lead,
  height,
  gain = 10,
}: Omit<WaveformProps, "patientId"> & { onFrame: OnFrame }): ReactNode {
  const strings = useStrings().vitals;
  const ref = useRef<HTMLCanvasElement>(null);
  const curve = useRef<Curve>(null);
  const [status, setStatus] = useState(SILENT);

  useEffect(() => {
    const canvas = ref.current;
    if (!canvas) return;
    const drawn = new Curve(canvas, { type, lead, onStatus: setStatus });
    curve.current = drawn;
    const offs = [show(drawn, canvas), onFrame((frame) => isOf(type, frame) && drawn.take(frame, performance.now()))];
    return () => {
      for (const off of offs) off();
    };
  }, [type, lead, onFrame]);

  useEffect(() => {
    if (!curve.current || curve.current.gain === gain) return;
    curve.current.gain = gain;
    curve.current.refresh();
  }, [gain]);

  const name = strings.curve(type, lead ?? status.lead);
  return (
    <div className={`${style.waveform} ${style[type]}`} style={{ height }}>
      <canvas
        ref={ref}
        className={style.canvas}
        role="img"
        aria-label={status.hasSignal ? name : strings.noSignalOf(name)}
        data-testid={type}
        data-signal={status.hasSignal}
      />
      <span className={style.label} aria-hidden="true">
        {name}
        {status.hasSignal && status.mmPerMV !== null && (
          <span className={style.scale}>{strings.mmPerMV(status.mmPerMV)}</span>
        )}
      </span>
      {!status.hasSignal && (
        <span className={style.noSignal} aria-hidden="true">
          <b>--</b> {strings.noSignal}
        </span>
      )}
    </div>
  );
});

function isOf(type: CurveType, frame: VitalsFrame): frame is Extract<VitalsFrame, { kind: "waveform" }> {
  return frame.kind === "waveform" && frame.type === type;
}

/** Draw the curve in each frame in which it can be seen; what it returns ends that. */
function show(curve: Curve, canvas: HTMLCanvasElement): () => void {
  const draw = (now: number) => curve.draw(now);
  let stop: (() => void) | undefined;
  const look = () => {
    curve.isStill = wantsStillness();
    curve.recolour();
  };
  const seen = new IntersectionObserver(([entry]) => {
    stop?.();
    stop = entry?.isIntersecting ? eachFrame(draw) : undefined;
  });
  const sized = new ResizeObserver(([entry]) => {
    const box = entry?.contentRect;
    if (box && box.width > 0 && box.height > 0) curve.resize(box.width, box.height);
  });
  look();
  seen.observe(canvas);
  sized.observe(canvas);
  const offLooks = onLooksChange(look);
  return () => {
    stop?.();
    seen.disconnect();
    sized.disconnect();
    offLooks();
  };
}
