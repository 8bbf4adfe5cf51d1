"""A server as a process: started on its core, measured through /proc, ended by its id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bench.machine import on_server_core

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
START_SECONDS = 30.0
STOP_SECONDS = 15.0


class ServerFailedError(Exception):
    """A server did not start, or ended by itself; the text holds the end of its log."""


class ServerProcess:
    """One server with all its children; its output goes to a file."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._log = log
        self.environment = {**os.environ, **(environment or {})}
        with log.open("ab") as output, on_server_core():
            # A group of its own, so that Ctrl-C ends the load first, and the load then ends the server.
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_until_listening(self, port: int, *, within_seconds: float = START_SECONDS) -> None:
        """
        Raises:
            ServerFailedError: it does not listen in time.
        """
        deadline = time.monotonic() + within_seconds
        while time.monotonic() < deadline:
            self.check()
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.02)
        raise ServerFailedError(f"it does not listen after {within_seconds:g} s: {self._end_of_log()}")

    def check(self) -> None:
        """
        Raises:
            ServerFailedError: it is no longer running.
        """
        if self._process.poll() is not None:
            raise ServerFailedError(f"it ended with status {self._process.returncode}: {self._end_of_log()}")

    def _end_of_log(self) -> str:
        return self._log.read_text(errors="replace")[-2000:].strip() or "its log is empty"

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        """End it, gently and then not; its children with it."""
        family = self.pids()
        if self._process.poll() is None:
            self._process.send_signal(with_signal)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_SECONDS)
        for pid in family[1:]:  # children outlive a parent that was killed
            if _parent_of(pid) == 1:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def pids(self) -> list[int]:
        """The process and its descendants, itself first."""
        parents = {
            int(entry.name): _parent_of(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()
        }
        family = [self._process.pid]
        for pid in family:
            family += [child for child, parent in parents.items() if parent == pid]
        return family

    def cpu_seconds(self) -> float:
        """User and system time of all their threads so far."""
        return sum(_cpu_seconds(pid) for pid in self.pids())

    def resident_bytes(self) -> int:
        """Resident memory of all of them; the kernel's socket buffers are in no process's."""
        total = 0
        for pid in self.pids():
            with suppress(OSError):
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
        return total

    def settled_bytes(self, *, within_seconds: float = 5.0) -> int:
        """Resident memory once it has stopped moving."""
        deadline = time.monotonic() + within_seconds
        before = self.resident_bytes()
        while time.monotonic() < deadline:
            time.sleep(0.5)
            now = self.resident_bytes()
            if abs(now - before) < 0.002 * before:
                return now
            before = now
        return before

    def open_files(self) -> int:
        """Open file descriptors of all of them."""
        total = 0
        for pid in self.pids():
            with suppress(OSError):
                total += len(os.listdir(f"/proc/{pid}/fd"))
        return total


def free_port() -> int:
    """A port of loopback on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _cpu_seconds(pid: int) -> float:
    """By the scheduler's own count, in nanoseconds, where the kernel keeps one for each thread.

    The times in /proc/PID/stat are sampled with the clock's tick. What a server does at a steady pace
    falls in step with it, and comes out a fifth too large or too small.
    """
    try:
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    except OSError:
        threads = []
    if threads:
        return sum(int(text.split()[0]) for text in threads) / 1e9
    stat = _stat(pid)
    return sum(int(stat[field]) for field in (11, 12, 13, 14)) / _TICKS_PER_SECOND if stat else 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the command's name, which may hold spaces; nothing when it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _parent_of(pid: int) -> int:
    stat = _stat(pid)
    return int(stat[1]) if stat else 0
