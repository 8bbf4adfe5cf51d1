/** A server that does to its clients whatever a test wants done to them. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What is done with one request; `ask` has its headers. */
export type Deed = (ask: IncomingMessage, answer: ServerResponse) => void | Promise<void>;

export class HostileServer {
  readonly baseUrl: string;
  /** The requests so far. */
  readonly asked: {
    method: string;
    path: string;
    cursor: string | undefined;
    token: string | undefined;
    body: string;
  }[] = [];
  #deeds: Deed[] = [];
  #server = createServer();

  static async start(): Promise<HostileServer> {
    const server = new HostileServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    Object.assign(server, { baseUrl: `http://127.0.0.1:${(server.#server.address() as AddressInfo).port}` });
    return server;
  }

  constructor() {
    this.baseUrl = "";
    this.#server.on("request", async (ask, answer) => {
      let body = "";
      for await (const piece of ask) body += piece;
      this.asked.push({
        method: ask.method ?? "",
        path: ask.url ?? "",
        cursor: ask.headers["last-event-id"] as string | undefined,
        token: ask.headers.authorization?.replace("Bearer ", ""),
        body,
      });
      // The last deed is done to all who come after.
      const deed = this.#deeds.length > 1 ? this.#deeds.shift() : this.#deeds[0];
      await deed?.(ask, answer);
    });
  }

  /** What is done to the next requests, one after the other; the last one to all that follow. */
  will(...deeds: Deed[]): void {
    this.#deeds = deeds;
  }

  /** How many connections are open. */
  connections(): Promise<number> {
    return new Promise((resolve) => this.#server.getConnections((_, count) => resolve(count)));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const STREAM = { "Content-Type": "text/event-stream; charset=utf-8" };

/** Send these pieces, each in a packet of its own, and then end, or leave the stream open. */
export function sends(pieces: (string | Uint8Array)[], then: "end" | "stay" | "break" = "stay"): Deed {
  return async (_, answer) => {
    answer.writeHead(200, STREAM).flushHeaders();
    answer.socket?.setNoDelay(true);
    for (const piece of pieces) {
      await new Promise((resolve) => answer.write(piece, resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (then === "end") answer.end();
    if (then === "break") answer.socket?.resetAndDestroy();
  };
}

/** Refuse with a status, as the server does. */
export function refuses(status: number, code = "", headers: Record<string, string> = {}): Deed {
  return (_, answer) => {
    const problem = status === 204 ? undefined : JSON.stringify({ status, code, detail: code });
    answer.writeHead(status, { "Content-Type": "application/problem+json", ...headers }).end(problem);
  };
}

/** Answer with JSON. */
export function answers(document: unknown): Deed {
  return (_, answer) =>
    void answer.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(document));
}

/** Take the request, and say nothing at all. */
export const stalls: Deed = () => {};

/** Cut the connection before an answer. */
export const resets: Deed = (ask) => void ask.socket.resetAndDestroy();
