/** The vital signs of one patient, live: numbers, curves and heart beats, as the server passes them on. */
import { unlessAborted } from "./backoff.ts";
import { call, searchOf } from "./call.ts";
import { addressOf, type Connection } from "./connection.ts";
import { decode } from "./message-pack.ts";
import { type Attempt, stayConnected } from "./stay-connected.ts";
import type { ConnectionState } from "./types.ts";

/** A number that was measured; `timestamp` in milliseconds of the epoch, by the clock of the device. */
export interface Numeric {
  kind: "numeric";
  type: string;
  value: number | string | boolean;
  unit: string;
  timestamp: number;
}

/** A piece of a curve: as many samples of each lead, at `sampleRate` Hz, the first taken at `timestamp`. */
export interface Waveform {
  kind: "waveform";
  type: string;
  leads: (string | null)[];
  /** One for each lead, in `unit`. */
  samples: Float32Array[];
  sampleRate: number;
  unit: string;
  timestamp: number;
}

/** Heart beats that were found in the ECG, at these times. */
export interface Beats {
  kind: "beats";
  lead: string | null;
  timestamps: number[];
}

/** So many frames were left out, because this reader did not keep up. */
export interface Skipped {
  kind: "skipped";
  frames: number;
}

export type VitalsFrame = Numeric | Waveform | Beats | Skipped;

export type VitalsSocketOptions = Connection & {
  patientId: string;
  /** The role to look in; any that the account holds where it is left out. */
  role?: string;
  /** At most so many samples of each lead in a second; peaks stay. */
  maxHz?: number;
  /** Whether heart beats are told, too. */
  beats?: boolean;
  onFrame: (frame: VitalsFrame) => void;
  onState?: (state: ConnectionState) => void;
  /** What makes sockets, where there is no global `WebSocket`: in Node before 22, the one of the package `ws`. */
  WebSocket?: typeof WebSocket;
  /** After so many milliseconds without a frame another connection is tried, and ever less often: 20 s. */
  silenceMs?: number;
};

export interface VitalsSocket {
  readonly state: ConnectionState;
  close(): void;
}

/** Monitors speak every second. One that is switched off is silent for hours, so that this doubles each time. */
const SILENCE_MS = 20_000;
const MOST_DOUBLED = 4;

/**
 * Read a patient's vital signs until it is closed, or the server refuses for good.
 *
 * Throws `TypeError` where the address of the server is not known, or how to make a socket.
 */
export function createVitalsSocket(options: VitalsSocketOptions): VitalsSocket {
  const { auth, patientId, role, maxHz, beats, onFrame, onState, silenceMs = SILENCE_MS } = options;
  const Socket = options.WebSocket ?? globalThis.WebSocket;
  if (!Socket) throw new TypeError("no WebSocket");
  const query = { patient_id: patientId, role, max_hz: maxHz, beats, format: "binary" };
  const address = addressOf(options, `/api/v1/vitals/ws/frontend${searchOf(query)}`);
  address.protocol = address.protocol.replace("http", "ws");
  const end = new AbortController();
  let state!: ConnectionState;
  let silences = 0;

  void stayConnected(
    connect,
    (next) => {
      state = next;
      onState?.(next);
    },
    end.signal,
    silenceMs,
  );
  return {
    get state() {
      return state;
    },
    close: () => end.abort(),
  };

  async function connect(attempt: Attempt): Promise<void> {
    const { signal } = attempt;
    let wasOpen = false;
    const protocols = auth === "cookie" ? [] : ["bearer", await unlessAborted(signal, auth(false))];
    const socket = new Socket(address, protocols);
    socket.binaryType = "arraybuffer";
    const ended = new Promise<void>((resolve) => {
      socket.onopen = () => {
        wasOpen = true;
        attempt.silenceMs = silenceMs * 2 ** Math.min(silences++, MOST_DOUBLED);
        attempt.live();
      };
      socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
        silences = 0;
        attempt.silenceMs = silenceMs;
        attempt.alive();
        const frame = readFrame(data);
        if (frame) onFrame(frame);
      };
      // An error has no reason; and in Node 20, no `onclose` follows where the server has refused.
      socket.onerror = () => resolve();
      socket.onclose = ({ reason, code }) => {
        attempt.reason = reason || `closed ${code}`;
        resolve();
      };
    });
    try {
      await unlessAborted(signal, ended);
    } finally {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    // A browser does not tell its page why a socket was refused; the same question by HTTP does.
    if (!wasOpen) await call(options, "get", "/api/v1/vitals/latest", { query: { patient_id: patientId }, signal });
  }
}

/** A frame as docs/vitals-protocol.md describes it; which fields are there depends on its kind. */
interface Raw {
  event?: string;
  type: string;
  unit: string;
  value: Numeric["value"];
  timestamp: string;
  timestamps: string[];
  frames: number;
  lead?: string | null;
  leads?: (string | null)[];
  samples?: Uint8Array;
  scale: number | number[];
  offset: number | number[];
  sampleRate: number;
}

/** The frame that the bytes hold; none for one of a kind that is not known, and a skipped one for a broken one. */
export function readFrame(bytes: ArrayBuffer): VitalsFrame | undefined {
  try {
    return toFrame(decode(bytes) as Raw);
  } catch {
    return { kind: "skipped", frames: 1 };
  }
}

function toFrame(raw: Raw): VitalsFrame | undefined {
  const { event, type, unit, value, lead = null, leads = [lead], samples, scale, offset, sampleRate, frames } = raw;
  if (event === "skipped") return { kind: event, frames };
  if (event === "beats") return { kind: event, lead, timestamps: raw.timestamps.map(Date.parse) };
  if (event) return undefined;
  const timestamp = Date.parse(raw.timestamp);
  if (!samples) return { kind: "numeric", type, value, unit, timestamp };
  // Counts are int16, the low byte first (as in the memory of whatever runs this), all of one lead before the next.
  const counts = new Int16Array(samples.slice().buffer);
  const each = counts.length / leads.length;
  return {
    kind: "waveform",
    type,
    leads,
    samples: leads.map((_, i) => {
      const [factor, zero] = [scale, offset].map((of) => (Array.isArray(of) ? of[i] : of) ?? 0) as [number, number];
      return Float32Array.from(counts.subarray(i * each, (i + 1) * each), (count) => count * factor + zero);
    }),
    sampleRate,
    unit,
    timestamp,
  };
}
