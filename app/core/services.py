"""What the lifespan has opened, looked up by type at the edge and passed inwards from there.

A router asks for what it needs with ``Annotated[AlertService, service(AlertService)]``; nothing
below a router knows that this registry exists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

T = TypeVar("T")

#: A class or a protocol: `type[T]` would leave out what cannot be made an instance of.
Kind = Callable[..., T]


class Services:
    """One instance per type, filled once when the application is wired."""

    def __init__(self) -> None:
        self._instances: dict[Kind[Any], Any] = {}

    def add(self, kind: Kind[T], instance: T) -> T:
        if kind in self._instances:
            raise ValueError(f"{kind.__name__} is wired twice")
        self._instances[kind] = instance
        return instance

    def get(self, kind: Kind[T]) -> T:
        found: T = self._instances[kind]
        return found


def services_of(connection: HTTPConnection) -> Services:
    """The registry of the application that answers this connection."""
    found: Services = connection.app.state.services
    return found


def service(kind: Kind[T]) -> Any:
    """A FastAPI dependency that hands the route the application's instance of `kind`."""

    # A coroutine, because the framework sends any other dependency through a thread.
    async def look_up(connection: HTTPConnection) -> T:
        return services_of(connection).get(kind)

    return Depends(look_up)
