// ws with @msgpack/msgpack: what comes at /devices are waveforms, each of which is checked and kept for a minute;
// what comes at /relay goes to all viewers as it is. Run as `node server.mjs PORT`.
import { decode } from "@msgpack/msgpack";
import { WebSocket, WebSocketServer } from "ws";

const KEPT_SECONDS = 60;
const MOST_SAMPLE_BYTES = 8192;
const LONGEST_AHEAD_MS = 60_000;
const TYPES = new Set(["ecg", "pleth", "resp_wave"]);

const viewers = new Set();
const patients = new Map();

class Refused extends Error {}

// The last minute of one patient's only lead, in a ring.
class Kept {
  constructor(sampleRate) {
    this.sampleRate = sampleRate;
    this.ring = new Uint8Array(2 * Math.ceil(KEPT_SECONDS * sampleRate));
    this.at = 0;
    this.startedAt = 0;
  }

  add(samples, startedAt) {
    const room = this.ring.length - this.at;
    if (samples.length < room) {
      this.ring.set(samples, this.at);
      this.at += samples.length;
    } else {
      this.ring.set(samples.subarray(0, room), this.at);
      this.ring.set(samples.subarray(room));
      this.at = samples.length - room;
    }
    this.startedAt = startedAt;
  }
}

function check(frame) {
  const { type, sampleRate, samples, scale, offset, unit, lead, timestamp, seq } = frame;
  if (!TYPES.has(type)) throw new Refused("type");
  if (!(sampleRate >= 1 && sampleRate <= 2000)) throw new Refused("sampleRate");
  if (!(samples instanceof Uint8Array) || samples.length === 0 || samples.length % 2 || samples.length > MOST_SAMPLE_BYTES)
    throw new Refused("samples");
  if (!Number.isFinite(scale) || !Number.isFinite(offset)) throw new Refused("scale");
  if (unit !== "mV" && unit !== "uV") throw new Refused("unit");
  if (typeof lead !== "string" || !Number.isSafeInteger(seq)) throw new Refused("lead");
  const startedAt = Date.parse(timestamp);
  if (!(startedAt - Date.now() <= LONGEST_AHEAD_MS)) throw new Refused("timestamp");
  return startedAt;
}

function take(patientId, data) {
  const frame = decode(data);
  const startedAt = check(frame);
  let kept = patients.get(patientId);
  if (kept === undefined || kept.sampleRate !== frame.sampleRate) {
    kept = new Kept(frame.sampleRate);
    patients.set(patientId, kept);
  }
  kept.add(frame.samples, startedAt);
}

function relay(data, isBinary) {
  for (const viewer of viewers) if (viewer.readyState === WebSocket.OPEN) viewer.send(data, { binary: isBinary });
}

function serve(socket, act) {
  let frames = 0;
  let errors = 0;
  socket.on("message", (data, isBinary) => {
    try {
      if (!isBinary && data.length < 100) {
        socket.send(JSON.stringify({ event: "flushed", id: JSON.parse(data).id, frames, errors }));
        return;
      }
      act(data, isBinary);
      frames += 1;
    } catch (error) {
      errors += 1;
      socket.send(JSON.stringify({ event: "error", detail: error.message }));
    }
  });
}

const server = new WebSocketServer({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
server.on("connection", (socket, request) => {
  const url = new URL(request.url, "http://127.0.0.1");
  const patientId = url.searchParams.get("patient_id");
  if (url.pathname === "/devices") serve(socket, (data) => take(patientId, data));
  else if (url.pathname === "/relay") serve(socket, relay);
  else {
    viewers.add(socket);
    socket.on("close", () => viewers.delete(socket));
  }
});
process.on("SIGTERM", () => process.exit(0));
