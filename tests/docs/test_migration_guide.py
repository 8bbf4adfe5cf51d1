"""What the README and the migration guide show is run here as it stands there, against real servers.

The fetch client and the Python client run unchanged. The cookie client runs in Node with Node's own
`EventSource`, which is behind a flag; what a browser adds around it, an address to resolve against
and a cookie jar, is played by `BROWSER` below. Every `bash` block with a command of ours is run too.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.core.config import Settings
from app.core.roles import Role
from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.book import Condition
from app.modules.alerts.rules.criteria import Direction, Limit
from app.modules.alerts.rules.file import load_rules, parse_rules
from app.modules.limits.suggestions import MARGINS, SPO2_LOWEST_ON_SCALE_2, Line, Margins
from tests.servers import PATIENCE_SECONDS, ROOT, RunningServer, serving, until

pytestmark = pytest.mark.anyio

README = ROOT / "README.md"
GUIDE = ROOT / "docs" / "alerts-sse-migration.md"
VITALS = ROOT / "docs" / "vitals.md"
RULES = ROOT / "docs" / "alert-rules.md"
PASSWORD = "a password for tests"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

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


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in this language."""
    return [text for found, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def write_snippets(folder: Path) -> list[Path]:
    """The named blocks of the guide as files: those that begin with a comment that is a file's name."""
    files = []
    for text in (*blocks(GUIDE, "js"), *blocks(GUIDE, "python")):
        name = re.match(r"(?://|#) ([\w-]+\.(?:mjs|py))\n", text)
        assert name, f"this block does not begin with its name: {text[:60]!r}"
        files.append(folder / name[1])
        files[-1].write_text(text, encoding="utf-8")
    return files


@pytest.fixture(scope="session")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed: the JavaScript of the guide is not run")
    return found


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


@asynccontextmanager
async def ward(folder: Path) -> AsyncIterator[tuple[RunningServer, Wire]]:
    """A server with a nurse at P1, and a wire to it that can be cut."""
    async with serving(folder, retry_ms=100) as server:
        await server.user("admin", Role.ADMIN)
        await server.user("nurse", Role.NURSE, password=PASSWORD)
        await server.patient("P1", "nurse")
        async with Wire.to(server.url) as wire:
            yield server, wire


def environment(server: RunningServer, wire: Wire, role: str = "nurse") -> dict[str, str]:
    return {"TOCSIN_URL": wire.url, "TOCSIN_TOKEN": server.tokens["nurse"], "ROLE": role, "PATIENT_ID": "P1"}


async def test_the_javascript_of_the_guide_is_javascript(node: str, tmp_path: Path) -> None:
    files = [file for file in write_snippets(tmp_path) if file.suffix == ".mjs"]
    assert {file.name for file in files} >= {"browser-cookie.mjs", "fetch-client.mjs"}
    for file in files:
        subprocess.run([node, "--check", str(file)], check=True, capture_output=True, timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize("snippet", ["watch.mjs", "follow.py"])
async def test_a_client_of_the_guide_that_is_cut_off_gets_exactly_what_it_missed(
    snippet: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write_snippets(tmp_path)
    program = sys.executable if snippet.endswith(".py") else request.getfixturevalue("node")
    async with ward(tmp_path / "data") as (server, wire):
        await server.raise_alert("open-already")
        async with Client.running(program, snippet, folder=tmp_path, **environment(server, wire)) as client:
            await client.shows("open-already")
            assert client.printed[0].startswith("- ")  # a snapshot carries no ids
            # A line separator of Unicode is none of an event stream: only CR and LF are.
            await server.raise_alert("live", reasons=["reason of \u2028live"])
            await client.shows("open-already", "\u2028live")
            wire.cut()
            await until(lambda: server.manager.open_count() == 0)
            await server.raise_alert("missed-1")
            await server.raise_alert("missed-2")
            wire.mend()
            await client.shows("open-already", "\u2028live", "missed-1", "missed-2")
            await server.raise_alert("live-again")
            await client.shows("open-already", "\u2028live", "missed-1", "missed-2", "live-again")
            positions = [int(line.split()[0].rpartition("-")[2]) for line in client.printed[1:]]
            assert positions == [2, 3, 4, 5]


@pytest.mark.parametrize("snippet", ["watch.mjs", "follow.py"])
@pytest.mark.parametrize(
    ("token", "role", "refusal"), [("nurse", "doctor", "role_not_held"), ("", "nurse", "not_signed_in")]
)
async def test_a_client_of_the_guide_stops_when_it_is_refused(
    snippet: str, token: str, role: str, refusal: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write_snippets(tmp_path)
    program = sys.executable if snippet.endswith(".py") else request.getfixturevalue("node")
    async with ward(tmp_path / "data") as (server, wire):
        variables = environment(server, wire, role) | {"TOCSIN_TOKEN": server.tokens.get(token, "nonsense")}
        async with Client.running(program, snippet, folder=tmp_path, **variables) as client:
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await client.process.wait() == 1
        assert any(refusal in line for line in client.said)


@pytest.fixture
def browser(node: str, tmp_path: Path) -> tuple[str, ...]:
    """The command that opens the cookie client's page, but for the address and the sign-in."""
    with_event_source = (node, "--experimental-eventsource", "--no-warnings")
    probe = subprocess.run(
        [*with_event_source, "-e", "EventSource.CLOSED"], capture_output=True, timeout=30, check=False
    )
    if probe.returncode != 0:
        pytest.skip("this node has no EventSource: the cookie client of the guide is only checked for its syntax")
    write_snippets(tmp_path)
    (tmp_path / "browser.mjs").write_text(BROWSER, encoding="utf-8")
    return (*with_event_source, "browser.mjs")


async def test_the_cookie_client_of_the_guide_comes_back_after_a_cut_and_after_its_cookie_has_expired(
    browser: tuple[str, ...], tmp_path: Path
) -> None:
    async with ward(tmp_path / "data") as (server, wire):
        await server.raise_alert("open-already")
        async with Client.running(*browser, wire.url, "nurse@example.org", PASSWORD, folder=tmp_path) as client:
            await client.shows("open-already")
            await server.raise_alert("live")
            await client.shows("open-already", "live")
            wire.cut()
            await until(lambda: server.manager.open_count() == 0)
            await server.raise_alert("missed")
            wire.mend()
            await client.shows("open-already", "live", "missed")

            # Without the access cookie EventSource gives up for good: the client refreshes, and goes on where it was.
            client.tell("expire")
            await until(lambda: server.manager.open_count() == 1)
            wire.cut()
            await until(lambda: server.manager.open_count() == 0)
            await server.raise_alert("missed-too")
            wire.mend()
            await client.shows("open-already", "live", "missed", "missed-too")
            assert 'tocsin_requests_refused_total{code="401"}' in (await server.http.get("/metrics")).text

            client.tell("acknowledge missed-too")
            await until(lambda: any(line.startswith("answer") for line in client.said))
            assert "answer acknowledged on my way" in client.said


async def test_a_cookie_client_that_is_refused_says_why_and_stops(browser: tuple[str, ...], tmp_path: Path) -> None:
    async with (
        ward(tmp_path / "data") as (server, wire),
        Client.running(*browser, wire.url, "nurse@example.org", PASSWORD, folder=tmp_path) as client,
    ):
        await until(lambda: any(line.startswith("live") for line in client.said))
        await server.revoke("P1", "nurse")
        await until(lambda: any(line.startswith("refused") for line in client.said))
        states = [line.split()[0] for line in client.said]
        assert states == ["live", "access_changed", "reconnecting", "reconnecting", "refused"]
        assert "care team" in client.said[-1]


# --- commands --------------------------------------------------------------------------------------

#: What only a reader does: setting up, and what runs until Ctrl-C.
_NOT_RUN = ("make ", "tocsin serve", "tocsin demo", "examples/")

#: A stream never ends, so that each is followed for a moment; curl says 28 when the time is up.
_PREAMBLE = """
set -euo pipefail
curl() { command curl --silent --show-error --fail-with-body --max-time 1 "$@" || [ $? = 28 ]; }
tocsin() { "$PYTHON" -m app.cli "$@"; }
"""


async def run_blocks(page: Path, server: RunningServer, folder: Path) -> str:
    """What the bash blocks of a page print that are about a running server, run in their order in one shell."""
    commands = [text for text in blocks(page, "bash") if not any(word in text for word in _NOT_RUN)]
    script = _PREAMBLE + "\n".join(commands).replace("http://127.0.0.1:8000", server.url)
    data_dir = server.services.get(Settings).data_dir
    own = {"TOCSIN_DATA_DIR": str(data_dir), "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", script, cwd=folder, env=os.environ | own,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, complaints = await process.communicate()
    assert process.returncode == 0, printed.decode() + complaints.decode()
    return printed.decode()


def events_of(output: str) -> Iterator[dict[str, object]]:
    for line in output.splitlines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: no command of the pages is run")
async def test_the_commands_of_the_readme_lead_from_an_empty_database_to_an_acknowledged_alert(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server:
        output = await run_blocks(README, server, tmp_path)
    assert [(event["event"], event["state"]) for event in events_of(output) if "event" in event] == [
        ("alert", "active"),
        ("alert_acknowledged", "acknowledged"),
    ]
    assert '"message":"Alert acknowledged successfully"' in output


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: no command of the pages is run")
async def test_the_commands_of_the_guide_do_what_it_says(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server:
        await server.user("nurse", Role.NURSE)
        await server.user("monitor", Role.DEVICE)
        await server.patient("bed-3", "nurse", "monitor")
        output = await run_blocks(GUIDE, server, tmp_path)
    assert [event["recovered"] for event in events_of(output) if "recovered" in event] == [False, False, True]
    for answer in (
        "Alert acknowledged successfully",
        "Alert resolved successfully",
        "tocsin_streams_open{",
        "escalation",
    ):
        assert answer in output


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: no command of the pages is run")
async def test_the_commands_of_the_page_on_vital_signs_do_what_it_says(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server:
        await server.user("nurse", Role.NURSE)
        await server.user("monitor", Role.DEVICE)
        await server.patient("bed-3", "nurse", "monitor")
        output = await run_blocks(VITALS, server, tmp_path)
    assert output.startswith('{"accepted":1,"duplicates":0}{"accepted":1,"duplicates":1}{"patientId":"bed-3"')
    assert '"nextCursor":null' in output
    assert '"truncated":false' in output


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: no command of the pages is run")
async def test_the_commands_of_the_page_on_rules_set_limits_of_a_unit_and_of_a_patient(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server:
        await server.user("nurse", Role.NURSE)
        await server.user("admin", Role.ADMIN)
        await server.patient("bed-3", "nurse")
        await run_blocks(RULES, server, tmp_path)
        found = (await server.call("GET", "/api/v1/patients/bed-3/limits", "nurse")).json()
    assert {(it["condition"], it["limit"], it["source"]) for it in found["limits"] if it["source"] != "rules"} == {
        ("heart_rate_high", 130, "unit"),
        ("spo2_low", 86, "patient"),
    }
    assert found["spo2Scale"] == 2


def test_the_page_on_rules_shows_the_margins_of_suggestions_as_they_are() -> None:
    rows = re.findall(r"^\| ((?:`\w+` ?)+) \|(.*)\|(.*)\| ([^|]*) \|$", RULES.read_text(), re.M)
    shown = {
        sign: (low.strip(), high.strip(), bounds)
        for signs, low, high, bounds in rows
        for sign in re.findall(r"\w+", signs)
        if sign in MARGINS
    }
    assert shown == {sign: written_margins(margins) for sign, margins in MARGINS.items()}


def written_margins(margins: Margins) -> tuple[str, str, str]:
    """How suggestions for a sign are found, as the page's table has it."""

    def written(line: Line | None) -> str:
        if line is None:
            return ""
        factor = f"× {line.factor:g}" if line.factor != 1 else ""
        summand = f"{'+' if line.summand > 0 else '−'} {abs(line.summand):g}" if line.summand else ""
        return f"{factor} {summand}".strip()

    bounds = f"{margins.lowest:g}, {margins.highest:g}"
    if margins.high is None:
        bounds = f"{margins.lowest:g}; on scale 2: {SPO2_LOWEST_ON_SCALE_2:g}"
    return written(margins.low), written(margins.high), bounds


def test_the_page_on_rules_shows_rules_that_can_be_used_and_those_that_are_shipped() -> None:
    parse_rules(blocks(RULES, "json")[0].encode())
    rows = re.findall(
        r"^\| `(\w+)` (\S+) \|(.*)\|(.*)\|(.*)\| (\d+) samples?, back by (\S+) \|$", RULES.read_text(), re.M
    )
    shown = {
        name: (unit, int(clear), float(margin), [level.strip() for level in levels])
        for name, unit, *levels, clear, margin in rows
    }
    shipped = {
        it.name: (it.unit, it.clearing.samples, it.clearing.hysteresis, [written(it, tier) for tier in Tier])
        for it in load_rules().conditions
    }
    assert shown == shipped


def written(condition: Condition, tier: Tier) -> str:
    """A level as the page's table has it: `> 180, 3 samples`."""
    for level in condition.levels:
        if level.tier is tier:
            limit, timing = level.criterion, level.timing
            assert isinstance(limit, Limit)
            parts = [f"{'>' if limit.direction is Direction.ABOVE else '<'} {limit.limit:g}"]
            parts += [f"{timing.samples} samples"] if timing.samples > 1 else []
            if timing.repetition is not None:
                parts.append(f"{timing.repetition.times} times in {timing.repetition.within.total_seconds():g} s")
            parts += [f"burden {timing.burden:g}"] if timing.burden is not None else []
            return ", ".join(parts)
    return ""


@pytest.mark.parametrize("page", [README, *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name)
def test_every_link_to_a_page_of_ours_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, place = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if place:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert place in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, target
