"""What a client of the guide needs around it: a process, a network that can be cut, and a browser's page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers import until

#: A page of this server in a browser, as far as the cookie client can tell. A small proxy keeps the cookies, because
#: neither `fetch` nor `EventSource` has a jar in Node. It reads commands from stdin: `expire` drops the access cookie.
BROWSER = """
import http from "node:http";
import readline from "node:readline";

const [server, email, password] = process.argv.slice(2);
const jar = new Map();
const proxy = http.createServer((request, response) => {
  const headers = { ...request.headers, host: new URL(server).host };
  headers.cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
  const forwarded = http.request(server + request.url, { method: request.method, headers }, (answer) => {
    for (const cookie of answer.headers["set-cookie"] ?? []) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
      jar.set(name, value);
    }
    response.writeHead(answer.statusCode, answer.headers);
    response.flushHeaders();
    answer.on("error", () => response.destroy());
    answer.pipe(response);
  });
  forwarded.on("error", () => response.destroy());
  response.on("close", () => forwarded.destroy());
  request.pipe(forwarded);
});
await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
const page = `http://127.0.0.1:${proxy.address().port}/`;
const RealEventSource = globalThis.EventSource;
const realFetch = globalThis.fetch;
globalThis.EventSource = class extends RealEventSource {
  constructor(address) {
    super(new URL(address, page));
  }
};
globalThis.fetch = (address, options = {}) =>
  realFetch(new URL(address, page), { ...options, headers: { ...options.headers, Origin: server } });

const { signIn, followAlerts, acknowledge } = await import("./browser-cookie.mjs");
const seen = new Map();
await signIn(email, password);
followAlerts({
  query: { role: "nurse", patient_id: "P1" },
  onAlert: (alert) => {
    seen.set(alert.condition, alert);
    console.log("-", alert.event, alert.tier, alert.alertId, alert.reasons.join("; "));
  },
  onState: (state, error) => console.error(state, error?.message ?? ""),
});
readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const [command, condition] = line.split(" ");
  if (command === "expire") jar.delete("access_token");
  if (command === "acknowledge") {
    const answer = await acknowledge(seen.get(condition), { note: "on my way" }).catch((error) => error);
    console.error("answer", answer.status, answer.note);
  }
});
"""


class Wire:
    """Stands between client and server, and can be cut as a network is: nobody is told, and nobody gets through."""

    def __init__(self, server_url: str) -> None:
        address = urlsplit(server_url)
        self._host, self._port = address.hostname, address.port
        self._ends: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def to(cls, server_url: str) -> AsyncIterator[Wire]:
        wire = cls(server_url)
        listener = await asyncio.start_server(wire._carry, "127.0.0.1", 0)
        wire.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        try:
            yield wire
        finally:
            wire.cut()
            listener.close()

    def cut(self) -> None:
        self._is_cut = True
        for end in self._ends:
            end.transport.abort()

    def mend(self) -> None:
        self._is_cut = False

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        ends = {writer, there_writer}
        self._ends |= ends
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
        self._ends -= ends


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@dataclass
class Client:
    """A client of the guide, running as a process of its own."""

    process: asyncio.subprocess.Process
    printed: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def running(cls, *command: str, folder: Path, **environment: str) -> AsyncIterator[Client]:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={"PATH": "", "PYTHONUNBUFFERED": "1", **environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        client = cls(process)
        readers = asyncio.gather(
            client._read(process.stdout, client.printed), client._read(process.stderr, client.said)
        )
        try:
            yield client
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await readers

    @property
    def reasons(self) -> list[str]:
        """What each alert that was printed is about, in order: the last words of its line."""
        return [line.split(" ", 4)[4] for line in self.printed]

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    async def shows(self, *conditions: str) -> None:
        """Wait until these alerts have been printed, and no other, each once and in this order."""
        wanted = [f"reason of {condition}" for condition in conditions]
        # A client that met a cut wire more than once waits up to half a minute before its next try.
        with suppress(TimeoutError):  # what is wrong is told better below
            await until(
                lambda: len(self.printed) >= len(wanted) or self.process.returncode is not None, within_seconds=60
            )
        assert self.reasons == wanted, self.said

    async def _read(self, stream: asyncio.StreamReader, lines: list[str]) -> None:
        while line := await stream.readline():
            lines.append(line.decode().rstrip("\n"))
