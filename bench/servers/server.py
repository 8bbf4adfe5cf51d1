"""What the load needs to know of a server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from bench.dialect import Dialect, NumberInEvent
from bench.events import alert_event
from bench.load import Load
from bench.process import ServerProcess, free_port
from bench.publisher import post

HOST = "127.0.0.1"


class Server(ABC):
    """A server that runs for as long as the `with` block does.

    Attributes:
        install: how to get it, for those who have not.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    install: ClassVar[str] = ""
    path: ClassVar[str] = "/events"
    publish_path: ClassVar[str] = "/publish"

    process: ServerProcess

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()

    @classmethod
    def missing(cls) -> str | None:
        """What of it is not installed."""
        return None

    @abstractmethod
    def launch(self) -> ServerProcess:
        """Start the process."""

    def prepare(self) -> None:
        """Whatever is to be done once it listens."""
        self.process.check()

    @property
    def dialect(self) -> Dialect:
        return NumberInEvent()

    def subscribe_request(self, index: int, cursor: str | None) -> bytes:
        """The request that opens the stream of one subscriber."""
        return f"GET {self.path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/event-stream\r\n\r\n".encode()

    def publish_request(self, number: int) -> bytes:
        """The request that publishes one event."""
        return post(self.publish_path, alert_event(number), {"Content-Type": "application/json"})

    def load(self, *, published: int = 0) -> Load:
        """A load on this server, with nobody connected yet."""
        return Load(self.address, self.dialect, self.subscribe_request, self.publish_request, published=published)

    @property
    def address(self) -> tuple[str, int]:
        return (HOST, self.port)

    def __enter__(self) -> Self:
        self.process = self.launch()
        try:
            self.process.wait_until_listening(self.port)
            self.prepare()
        except BaseException:
            self.process.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()
