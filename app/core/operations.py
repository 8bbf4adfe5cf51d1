"""What an operator asks of a running server: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.core.config import Settings
from app.core.metrics import Metrics
from app.core.services import service

router = APIRouter(tags=["operations"])


@dataclass(frozen=True, slots=True)
class ReadinessChecks:
    """What must be in order before this node is sent any traffic."""

    database: Callable[[], Awaitable[None]]
    bus: Callable[[], bool]
    escalation: Callable[[], bool]
    silence: Callable[[], bool]
    streams: Callable[[], bool]

    async def run(self) -> dict[str, str]:
        """Each check by name: `ok`, or in a few words what is wrong."""
        return {
            "database": await self._ask_database(),
            "bus": "ok" if self.bus() else "not connected",
            "escalation": _of_worker(is_in_order=self.escalation()),
            "silence": _of_worker(is_in_order=self.silence()),
            "streams": "ok" if self.streams() else "draining",
        }

    async def _ask_database(self) -> str:
        try:
            await self.database()
        except Exception as error:
            return f"no answer ({type(error).__name__})"
        return "ok"


def _of_worker(*, is_in_order: bool) -> str:
    return "ok" if is_in_order else "the worker has not finished a round lately"


class Health(BaseModel):
    """Said by a process that answers."""

    status: Literal["ok"]
    demo: Literal[True] | None = Field(
        None, description="There where this is the demo, whose sign-ins are known to everybody."
    )


class Readiness(BaseModel):
    """Each check by name: `ok`, or in a few words what is wrong."""

    status: Literal["ok", "not_ready"]
    checks: dict[str, str]


@router.get("/healthz", summary="Whether the process answers at all", response_model_exclude_none=True)
async def healthz(settings: Annotated[Settings, service(Settings)]) -> Health:
    return Health(status="ok", demo=True if settings.env == "demo" else None)


@router.get(
    "/readyz",
    summary="Whether the database, the bus, escalation and the watch for silence are in order, and streams may open",
    responses={503: {"model": Readiness, "description": "One of them is not: send no traffic here"}},
)
async def readyz(response: Response, checks: Annotated[ReadinessChecks, service(ReadinessChecks)]) -> Readiness:
    results = await checks.run()
    is_ready = all(result == "ok" for result in results.values())
    response.status_code = 200 if is_ready else 503
    return Readiness(status="ok" if is_ready else "not_ready", checks=results)


@router.get(
    "/metrics",
    summary="Metrics in the Prometheus text format",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(metrics: Annotated[Metrics, service(Metrics)]) -> Response:
    return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
