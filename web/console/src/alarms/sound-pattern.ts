/**
 * PURE: the pulses of an auditory alarm signal.
 *
 * IEC 60601-1-8:2006, 6.3.3.1, tables 3 and 4: a high-priority burst has ten pulses of 75 to 200 ms, three and two and
 * again three and two, a medium one three, and a low one one of 125 to 250 ms; pulses of a group lie 50 to 125 ms (high)
 * or 125 to 250 ms (medium) apart. The fundamental lies between 150 and 1000 Hz, with four harmonics up to 4000 Hz.
 */
import type { Tone } from "./sounding.ts";

export interface Pulse {
  /** From the begin of the burst, in seconds. */
  at: number;
  seconds: number;
  hertz: number;
}

export interface Burst {
  pulses: Pulse[];
  /** From the end of a burst to the begin of the next; none for one that is heard once. */
  pauseSeconds: number;
}

interface Shape {
  groups: number[];
  pulseSeconds: number;
  /** Between the pulses of a group, between its groups, and between the two halves of a burst. */
  gapSeconds: number;
  groupGapSeconds: number;
  halfGapSeconds: number;
  hertz: number[];
  pauseSeconds: number;
}

const HIGH: Shape = {
  groups: [3, 2, 3, 2],
  pulseSeconds: 0.15,
  gapSeconds: 0.1,
  // Twice the gap and a pulse: as if the fourth pulse of five had been left out.
  groupGapSeconds: 0.35,
  halfGapSeconds: 0.8,
  hertz: [660],
  pauseSeconds: 5,
};

const SHAPES: Record<Tone, Shape> = {
  high: HIGH,
  medium: { ...HIGH, groups: [3], pulseSeconds: 0.2, gapSeconds: 0.2, hertz: [528], pauseSeconds: 10 },
  low: { ...HIGH, groups: [1], pulseSeconds: 0.2, hertz: [440], pauseSeconds: 20 },
  // As urgent as any, but about no patient: it falls, where those of patients stay on their note.
  lost: { ...HIGH, hertz: [440, 330, 262] },
};

/** The burst that says a tone. */
export function burstOf(tone: Tone): Burst {
  const { groups, pulseSeconds, gapSeconds, groupGapSeconds, halfGapSeconds, hertz, pauseSeconds } = SHAPES[tone];
  const pulses: Pulse[] = [];
  let at = 0;
  groups.forEach((count, group) => {
    if (group > 0) at += (group === 2 ? halfGapSeconds : groupGapSeconds) - gapSeconds;
    for (let pulse = 0; pulse < count; pulse++) {
      pulses.push({ at, seconds: pulseSeconds, hertz: hertz[pulse % hertz.length] ?? 440 });
      at += pulseSeconds + gapSeconds;
    }
  });
  return { pulses, pauseSeconds };
}

/** From the begin of the first pulse to the end of the last, in seconds. */
export function lengthOf({ pulses }: Burst): number {
  const last = pulses.at(-1);
  return last ? last.at + last.seconds : 0;
}
