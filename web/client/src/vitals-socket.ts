/** The vital signs of one patient, live: numbers, curves and heart beats, as the server passes them on. */
import { backoffMs, pause } from "./backoff.ts";
import { call, searchOf } from "./call.ts";
import { type Connection, Refused } from "./connection.ts";
import { decode } from "./message-pack.ts";
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
};

export interface VitalsSocket {
  readonly state: ConnectionState;
  close(): void;
}

/** Monitors speak every second: after 20 s without a frame another connection is tried, and ever less often. */
const SILENCE_MS = 20_000;
const LONGEST_SILENCE_MS = 320_000;
const BASE_MS = 1000;

/** Read a patient's vital signs until it is closed, or the server refuses for good. */
export function createVitalsSocket(options: VitalsSocketOptions): VitalsSocket {
  const { baseUrl = "", auth, patientId, role, maxHz, beats, onFrame } = options;
  const end = new AbortController();
  let state: ConnectionState = { phase: "connecting", since: Date.now() };
  const change = (next: ConnectionState) => {
    state = next;
    options.onState?.(next);
  };

  void run();
  return {
    get state() {
      return state;
    },
    close: () => end.abort(),
  };

  async function run(): Promise<void> {
    const query = { patient_id: patientId, role, max_hz: maxHz, beats, format: "binary" };
    let failures = 0;
    let silenceMs = SILENCE_MS;
    let lostAt = 0;
    while (!end.signal.aborted) {
      let reason = "ended";
      try {
        const address = new URL(`${baseUrl}/api/v1/vitals/ws/frontend${searchOf(query)}`, globalThis.location?.href);
        address.protocol = address.protocol.replace("http", "ws");
        const protocols = auth === "cookie" ? [] : ["bearer", await auth(failures > 0)];
        const connection = await listen(new WebSocket(address, protocols), silenceMs, () => {
          failures = lostAt = 0;
          change({ phase: "live", since: Date.now() });
        });
        reason = connection.reason;
        silenceMs = connection.isSilent ? Math.min(2 * silenceMs, LONGEST_SILENCE_MS) : SILENCE_MS;
        // A browser does not tell its page why a socket was refused; the same question by HTTP does.
        if (!connection.wasOpen && !end.signal.aborted) {
          await call(options, "get", "/api/v1/vitals/latest", { query: { patient_id: patientId }, signal: end.signal });
        }
      } catch (error) {
        if (error instanceof Refused && error.isFinal) {
          return change({ phase: "stopped", since: Date.now(), reason: error.code, status: error.status });
        }
        reason = String(error);
      }
      if (end.signal.aborted) break;
      const waitMs = backoffMs(BASE_MS, failures++);
      lostAt ||= Date.now();
      change({ phase: "lost", since: lostAt, reason, retryAt: Date.now() + waitMs });
      await pause(waitMs, end.signal);
    }
    change({ phase: "stopped", since: Date.now(), reason: "closed" });
  }

  /** Resolves when the socket has ended. */
  function listen(socket: WebSocket, silenceMs: number, onOpen: () => void) {
    socket.binaryType = "arraybuffer";
    return new Promise<{ wasOpen: boolean; isSilent: boolean; reason: string }>((resolve) => {
      let wasOpen = false;
      let watchdog: ReturnType<typeof setTimeout> | undefined;
      const done = (reason: string, isSilent = false) => {
        clearTimeout(watchdog);
        end.signal.removeEventListener("abort", close);
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close();
        resolve({ wasOpen, isSilent, reason });
      };
      const close = () => done("closed");
      const alive = () => {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => done("silence", true), silenceMs);
      };
      end.signal.addEventListener("abort", close);
      alive();
      socket.onopen = () => {
        wasOpen = true;
        onOpen();
      };
      socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
        alive();
        const frame = readFrame(new Uint8Array(data));
        if (frame) onFrame(frame);
      };
      socket.onclose = ({ reason, code }) => done(reason || `closed with ${code}`);
      if (end.signal.aborted) close();
    });
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
  leads?: string[];
  samples?: Uint8Array;
  scale: number | number[];
  offset: number | number[];
  sampleRate: number;
}

/** The frame that the bytes hold; none for one of a kind that is not known. */
export function readFrame(bytes: Uint8Array): VitalsFrame | undefined {
  const raw = decode(bytes) as Raw;
  const { event, type, unit, value } = raw;
  if (event === "skipped") return { kind: "skipped", frames: raw.frames };
  if (event === "beats") {
    return { kind: "beats", lead: raw.lead ?? null, timestamps: raw.timestamps.map(Date.parse) };
  }
  if (event !== undefined) return undefined;
  const timestamp = Date.parse(raw.timestamp);
  if (!raw.samples) return { kind: "numeric", type, value, unit, timestamp };
  const leads = raw.leads ?? [raw.lead ?? null];
  return {
    kind: "waveform",
    type,
    leads,
    samples: readSamples(raw.samples, leads.length, raw.scale, raw.offset),
    sampleRate: raw.sampleRate,
    unit,
    timestamp,
  };
}

/** Counts are int16, the low byte first, all of one lead before all of the next. */
function readSamples(bytes: Uint8Array, leads: number, scale: number | number[], offset: number | number[]) {
  const counts = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const each = bytes.length / 2 / leads;
  const of = (values: number | number[], lead: number) => (Array.isArray(values) ? values[lead] : values) ?? 0;
  return Array.from({ length: leads }, (_, lead) =>
    Float32Array.from(
      { length: each },
      (_, i) => counts.getInt16(2 * (lead * each + i), true) * of(scale, lead) + of(offset, lead),
    ),
  );
}
