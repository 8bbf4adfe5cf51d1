/** A real server in a process of its own, which can be killed, and a way to it that can be cut. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./watching.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PYTHON = join(ROOT, ".venv/bin/python");

/** Why tests against the server cannot run here; nothing where they can. */
export const missing = existsSync(PYTHON) ? "" : `there is no ${PYTHON}: make install makes it`;

const PASSWORD = "a password for tests alone";

export class TocsinServer {
  /** Through the proxy, whose connections can be cut. */
  baseUrl = "";
  #direct = "";
  #port = 0;
  #folder = mkdtempSync(join(tmpdir(), "tocsin-"));
  #process: ChildProcess | undefined;
  #proxy: Server | undefined;
  #sockets = new Set<Socket>();
  #tokens = new Map<string, string>();

  static async start(): Promise<TocsinServer> {
    const server = new TocsinServer();
    server.#port = await freePort();
    server.#direct = `http://127.0.0.1:${server.#port}`;
    await server.#openProxy();
    await server.run();
    server.#cli(["user", "create", "admin@example.org", "--role", "admin"]);
    server.#tokens.set("admin", server.#cli(["token", "admin@example.org", "--ttl", "1h"]));
    return server;
  }

  /** Start the process, and wait until it answers. */
  async run(): Promise<void> {
    const serve = ["-m", "app.cli", "serve", "--port", String(this.#port)];
    this.#process = spawn(PYTHON, serve, { env: this.#environment(), stdio: "ignore" });
    await until(
      () =>
        fetch(`${this.#direct}/readyz`)
          .then(({ ok }) => ok)
          .catch(() => false),
      60_000,
    );
  }

  /** End it as a power cut would. */
  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.#process?.once("exit", resolve));
    this.#process?.kill("SIGKILL");
    await gone;
  }

  /** Cut every connection that goes through the proxy. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    await this.kill();
    this.cut();
    await new Promise((resolve) => this.#proxy?.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** An account that has signed in; gives its id. */
  async user(name: string, roles: string[]): Promise<string> {
    const email = `${name}@example.org`;
    const { id } = await this.call("POST", "/api/v1/users", { email, name, roles, password: PASSWORD });
    const form = new URLSearchParams({ username: email, password: PASSWORD });
    const answer = await fetch(`${this.#direct}/api/v1/login/access-token`, { method: "POST", body: form });
    this.#tokens.set(name, (await answer.json()).access_token);
    return id;
  }

  token(name: string): string {
    return this.#tokens.get(name) ?? "";
  }

  /** Any call, past the proxy; as an admin unless told otherwise. Gives the answer also where that is a refusal. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at what it knows to be there.
  async call(method: string, path: string, body?: unknown, name = "admin"): Promise<any> {
    const answer = await fetch(this.#direct + path, {
      method,
      headers: { Authorization: `Bearer ${this.token(name)}`, "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return answer.status === 204 ? undefined : answer.json();
  }

  #cli(words: string[]): string {
    return execFileSync(PYTHON, ["-m", "app.cli", ...words], { env: this.#environment(), encoding: "utf8" }).trim();
  }

  #environment() {
    return { ...process.env, PYTHONPATH: ROOT, TOCSIN_DATA_DIR: this.#folder, TOCSIN_RETRY_MS: "100" };
  }

  async #openProxy(): Promise<void> {
    this.#proxy = createServer((client) => {
      const server = connect(this.#port, "127.0.0.1");
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => {
          this.#sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
    await new Promise<void>((resolve) => this.#proxy?.listen(0, "127.0.0.1", resolve));
    this.baseUrl = `http://127.0.0.1:${(this.#proxy.address() as AddressInfo).port}`;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
