"""The machine that is measured on: its cores, its limits, and what it says of itself."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path

SERVER_CORE, LOAD_CORE = 0, 1
_ROOT = Path(__file__).resolve().parents[1]
_NODE_PACKAGES = {"better-sse": "better-sse", "ws": "ws", "@msgpack/msgpack": "ws"}
_PACKAGES = (
    "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "websockets", "msgspec", "sleepecg", "sse-starlette",
)  # fmt: skip


def can_pin() -> bool:
    """Whether the server and the load can have a core each."""
    return hasattr(os, "sched_setaffinity") and {SERVER_CORE, LOAD_CORE} <= _allowed_at_start


_allowed_at_start: set[int] = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def pin_load() -> None:
    """Keep this process, the load, on its core."""
    if can_pin():
        os.sched_setaffinity(0, {LOAD_CORE})


@contextmanager
def on_server_core() -> Iterator[None]:
    """What is started in here inherits the server's core, with all its threads and children."""
    if not can_pin():
        yield
        return
    os.sched_setaffinity(0, {SERVER_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, {LOAD_CORE})


def raise_file_limit(needed: int) -> None:
    """Let this process and those that it starts have as many open files as the machine allows.

    Raises:
        SystemExit: that is too few.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(f"this needs {needed:,} open files, and the limit is {hard:,}: raise it with ulimit -Hn")


def busy_seconds(core: int) -> float:
    """How long a core has not been idle, whoever used it, or kept it from this machine."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system, _idle, _waiting, irq, softirq, stolen = map(int, line.split()[1:9])
            return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")
    return 0.0


def describe() -> dict[str, str]:
    """The machine and the versions, as the report names them."""
    described = {
        "Processor": _processor(),
        "Cores": f"{len(_allowed_at_start)}; server on core {SERVER_CORE}, load on core {LOAD_CORE}"
        if can_pin()
        else f"{os.cpu_count()}; nothing pinned",
        "Memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "System": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    if commit := _first_line(["git", "-C", str(_ROOT), "rev-parse", "--short", "HEAD"]):
        described["Tocsin"] = f"commit {commit}"
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            described[package] = metadata.version(package)
    for name, command in {
        "Node": ["node", "--version"],
        "nginx": ["nginx", "-v"],
        "C compiler": ["cc", "--version"],
    }.items():
        if version := _first_line(command):
            described[name] = version
    for package, folder in _NODE_PACKAGES.items():
        with suppress(OSError):
            manifest = _ROOT / "bench/peers" / folder / "node_modules" / package / "package.json"
            described[package] = json.loads(manifest.read_text())["version"]
    if version := _debian_version("libnginx-mod-nchan"):
        described["nchan"] = version
    return described


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _first_line(command: list[str]) -> str:
    program = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        return ""
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False, timeout=10)
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].removeprefix("nginx version: ") if lines else ""


def _debian_version(package: str) -> str:
    if shutil.which("dpkg-query") is None:
        return ""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True, check=False, timeout=10
    )
    return done.stdout.strip()
