"""Background work that outlives its own errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import structlog

from app.core.metrics import Metrics

_log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0


async def keep_running(
    name: str,
    work: Callable[[], Awaitable[None]],
    metrics: Metrics,
    *,
    first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
) -> None:
    """Run `work` for ever: an error is logged and counted, and it is started again after a pause.

    A database that is gone for a minute must not end the worker that escalates alerts; the pause
    doubles up to the longest, and starts small again after each run that lasted longer than that.
    """
    pause_seconds = first_pause_seconds
    while True:
        started = anyio.current_time()
        try:
            await work()
            return
        except Exception:
            if anyio.current_time() - started > longest_pause_seconds:
                pause_seconds = first_pause_seconds
            metrics.worker_failures.labels(worker=name).inc()
            _log.exception("worker.failed", worker=name, retry_in_seconds=pause_seconds)
        await anyio.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 2, longest_pause_seconds)


def until_beat(period_seconds: float) -> float:
    """How long it is until the loop's clock shows a whole number of periods, or the one after if that is very near.

    What a node looks at now and then it looks at in the same moments: a quiet one then wakes twice a
    second instead of twenty times, and waking costs more than most of what is looked at.
    """
    left = period_seconds - asyncio.get_running_loop().time() % period_seconds
    return left if left > period_seconds / 10 else left + period_seconds


async def measure_loop_lag(metrics: Metrics, *, period_seconds: float) -> None:
    """Note for ever how late the loop is, which is how long it has been held by one thing."""
    loop = asyncio.get_running_loop()
    while True:
        wait = until_beat(period_seconds)
        due = loop.time() + wait
        await asyncio.sleep(wait)
        metrics.loop_lag.observe(max(0.0, loop.time() - due))
