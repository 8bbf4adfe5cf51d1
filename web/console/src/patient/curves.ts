/** PURE: which curves of a patient come. */
import type { VitalsFrame } from "@tocsin/react";
import type { CurveType } from "../vitals/Waveform.tsx";

/** A curve as it is shown; the lead of an ECG, and none where it has no name. */
export interface Coming {
  type: CurveType;
  lead: string | undefined;
}

/** A curve that has not come for so long has gone for good: until then its place says that it is missing. */
const GONE_AFTER_MS = 60_000;

/** As on an ECG: limb leads, then chest leads; others behind them. */
const LEADS = ["II", "I", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
const TYPES: readonly CurveType[] = ["ecg", "pleth", "resp_wave"];

/** What is shown before anything has come. */
const USUAL: readonly Coming[] = TYPES.map((type) => ({ type, lead: undefined }));

/** Remembers which curves have come lately. */
export class ComingCurves {
  #seenAt = new Map<string, { curve: Coming; at: number }>();
  #told = "";
  curves: readonly Coming[] = USUAL;

  /** Take a frame in; true where `curves` has changed. */
  take(frame: VitalsFrame, now: number): boolean {
    if (frame.kind !== "waveform" || !TYPES.includes(frame.type as CurveType)) return false;
    const type = frame.type as CurveType;
    for (const lead of type === "ecg" ? frame.leads : [null]) {
      const curve = { type, lead: lead ?? undefined };
      this.#seenAt.set(`${type} ${lead}`, { curve, at: now });
    }
    for (const [key, { at }] of this.#seenAt) if (now - at > GONE_AFTER_MS) this.#seenAt.delete(key);
    const keys = [...this.#seenAt.keys()].sort().join();
    if (keys === this.#told) return false;
    this.#told = keys;
    this.curves = inOrder([...this.#seenAt.values()].map(({ curve }) => curve));
    return true;
  }
}

function inOrder(curves: Coming[]): Coming[] {
  const place = ({ lead }: Coming) => (lead && LEADS.includes(lead) ? LEADS.indexOf(lead) : LEADS.length);
  return curves.sort((one, other) => TYPES.indexOf(one.type) - TYPES.indexOf(other.type) || place(one) - place(other));
}
