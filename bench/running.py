"""Runs a server in a folder that goes with it, and names what can go wrong with one."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx

from bench.deadline import OverdueError
from bench.framing import BrokenAnswerError
from bench.load import Load, OpeningError
from bench.process import ServerFailedError
from bench.progress import say
from bench.publisher import PublishRefusedError
from bench.results import Result
from bench.servers import Server
from bench.websocket import BrokenFrameError

S = TypeVar("S", bound=Server)
K = TypeVar("K", bound=type[Server])

#: What a server can do to a run; it ends the round of that server, and no other.
SERVER_TROUBLE = (
    BrokenAnswerError,
    BrokenFrameError,
    OpeningError,
    OverdueError,
    PublishRefusedError,
    ServerFailedError,
    OSError,
    httpx.HTTPError,
    subprocess.SubprocessError,
)


@contextmanager
def running(kind: Callable[[Path], S]) -> Iterator[S]:
    """A server of this kind, made in a new folder, ended with the block."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder, kind(Path(folder)) as server:
        yield server


@contextmanager
def loaded(server: Server, *, published: int = 0) -> Iterator[Load]:
    """A load on it, closed with the block."""
    load = server.load(published=published)
    try:
        yield load
    finally:
        load.close()


def chosen(kinds: Sequence[K], peers: Sequence[str], result: Result) -> list[K]:
    """The first of these kinds, which is ours, and of the others the peers of these names that are here."""
    ours, *others = kinds
    by_name = {kind.name: kind for kind in others}
    return [ours, *(by_name[name] for name in peers if _is_here(by_name[name], result))]


def _is_here(peer: type[Server], result: Result) -> bool:
    """Whether it can be measured; where not, the result says why, and how to get it."""
    missing = peer.missing()
    if missing:
        result.notes.append(f"{peer.title} was not measured, because {missing} is missing: {peer.install}")
        say(result.notes[-1])
    return missing is None
