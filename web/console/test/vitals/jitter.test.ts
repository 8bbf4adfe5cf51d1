import { describe, expect, it } from "vitest";
import { PlayOut } from "../../src/vitals/jitter.ts";

const HOUR = 3_600_000;
const FRAME = 50;

function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Frames of 50 ms, each under way for as long as told; at each frame of the screen, the device's time shown. */
function play(seconds: number, wayMs: (n: number) => number, clockMs = (n: number) => n * FRAME) {
  const playOut = new PlayOut();
  const arrivals = Array.from({ length: (seconds * 1000) / FRAME }, (_, n) => ({
    at: (n + 1) * FRAME + wayMs(n),
    start: clockMs(n),
  })).sort((one, other) => one.at - other.at);
  const shown: { now: number; time: number; heardTo: number }[] = [];
  let next = 0;
  let heardTo = Number.NEGATIVE_INFINITY;
  for (let now = 0; now < seconds * 1000; now += 1000 / 60) {
    for (let it = arrivals[next]; it && it.at <= now; it = arrivals[++next]) {
      playOut.heard(it.start, it.start + FRAME, it.at);
      heardTo = Math.max(heardTo, it.start + FRAME);
    }
    const lag = playOut.lagAt(now);
    if (lag !== undefined) shown.push({ now, time: now - lag, heardTo });
  }
  return shown;
}

describe("PlayOut", () => {
  it("shows nothing before anything was heard", () => {
    expect(new PlayOut().lagAt(1000)).toBeUndefined();
  });

  it.each([
    ["right", 0],
    ["seven hours behind", -7 * HOUR],
    ["a day ahead", 24 * HOUR],
  ])("moves evenly, and never ahead of what came, with a clock that is %s", (_, off) => {
    const random = chance(3);
    const shown = play(
      20,
      () => 20 + 180 * random(),
      (n) => n * FRAME + off,
    ).slice(120);
    expect(shown.length).toBeGreaterThan(1000);
    for (const [i, { now, time, heardTo }] of shown.entries()) {
      expect(time).toBeLessThanOrEqual(heardTo);
      // 0.35 s behind the quickest frame: no more than what is needed.
      expect(now + off - time).toBeLessThan(360);
      const before = shown[i - 1];
      if (before) expect(Math.abs(time - before.time - (now - before.now)) / (now - before.now)).toBeLessThan(0.051);
    }
  });

  it("follows a clock that drifts by a part in a thousand, without a jump", () => {
    const shown = play(
      120,
      () => 30,
      (n) => n * FRAME * 1.001,
    );
    const last = shown.at(-1);
    expect(last && last.heardTo - last.time).toBeGreaterThan(200);
    expect(last && last.heardTo - last.time).toBeLessThan(400);
    for (const [i, { time }] of shown.entries()) expect(time - (shown[i - 1]?.time ?? time)).toBeLessThan(20);
  });

  it("comes back to the patient after a network that was slower for a while", () => {
    const shown = play(50, (n) => (n > 200 && n < 500 ? 700 : 20));
    const [slow, last] = [shown.find(({ now }) => now > 24_500), shown.at(-1)];
    expect(slow && slow.now - slow.time).toBeGreaterThan(900);
    expect(last && last.now - last.time).toBeLessThan(330);
  });

  it("waits for the longest frame, so that a device that sends a second at a time has no gaps", () => {
    const playOut = new PlayOut();
    for (let n = 0; n < 8; n++) playOut.heard(n * 1000, n * 1000 + 1000, n * 1000 + 1010);
    const lag = playOut.lagAt(8100);
    // Right before the next frame comes, what is shown must be there already.
    expect(9009 - (lag ?? 0)).toBeLessThanOrEqual(8000);
  });

  it("begins anew when it is reset", () => {
    const playOut = new PlayOut();
    playOut.heard(0, FRAME, 100);
    playOut.lagAt(100);
    playOut.reset();
    playOut.heard(HOUR, HOUR + FRAME, 200);
    expect(playOut.lagAt(200)).toBe(200 - HOUR - FRAME + FRAME + 250);
  });
});
