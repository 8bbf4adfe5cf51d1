from __future__ import annotations

from functools import partial

import anyio
from structlog.testing import capture_logs

from app.core.metrics import Metrics
from app.core.tasks import keep_running

PATIENCE_SECONDS = 10.0


def failures(metrics: Metrics, worker: str) -> float:
    return metrics.registry.get_sample_value("tocsin_worker_failures_total", {"worker": worker}) or 0.0


class Worker:
    """Work that fails so many times, then stays until it is cancelled, and keeps when it was started."""

    def __init__(self, *, fails: int) -> None:
        self.starts: list[float] = []
        self.is_working = anyio.Event()
        self.was_cancelled = False
        self._fails = fails

    async def work(self) -> None:
        self.starts.append(anyio.current_time())
        if len(self.starts) <= self._fails:
            raise OSError("the database is gone")
        self.is_working.set()
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            self.was_cancelled = True
            raise


async def test_work_is_started_again_after_an_error_which_is_logged_and_counted() -> None:
    """Fails when an error ends it (checked by re-raising instead of going round)."""
    worker, metrics = Worker(fails=2), Metrics()

    with capture_logs() as logs:
        async with anyio.create_task_group() as group:
            group.start_soon(keep_running, "escalation", worker.work, metrics)
            with anyio.fail_after(PATIENCE_SECONDS):
                await worker.is_working.wait()
            group.cancel_scope.cancel()

    assert len(worker.starts) == 3
    assert failures(metrics, "escalation") == 2
    assert [(line["event"], line["worker"]) for line in logs] == [("worker.failed", "escalation")] * 2


async def test_the_pause_doubles_with_each_error_up_to_the_longest() -> None:
    worker = Worker(fails=4)
    running = partial(keep_running, first_pause_seconds=0.02, longest_pause_seconds=0.05)

    with capture_logs() as logs:
        async with anyio.create_task_group() as group:
            group.start_soon(running, "escalation", worker.work, Metrics())
            with anyio.fail_after(PATIENCE_SECONDS):
                await worker.is_working.wait()
            group.cancel_scope.cancel()

    told = [line["retry_in_seconds"] for line in logs]
    assert told == [0.02, 0.04, 0.05, 0.05]
    waited = [later - earlier for earlier, later in zip(worker.starts, worker.starts[1:], strict=False)]
    # A timer may fire early by the resolution of the event loop's clock.
    assert all(wait >= pause - 0.005 for wait, pause in zip(waited, told, strict=True))


async def test_a_run_that_lasted_starts_the_pauses_anew() -> None:
    """Fails when the pause only grows (checked by taking the reset out)."""
    longest_pause_seconds = 0.05
    running = partial(keep_running, first_pause_seconds=0.01, longest_pause_seconds=longest_pause_seconds)
    runs = 0
    is_working = anyio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 4:
            began = anyio.current_time()
            while anyio.current_time() <= began + longest_pause_seconds:
                await anyio.lowlevel.checkpoint()
        if runs == 6:
            is_working.set()
            await anyio.sleep_forever()
        raise OSError("the database is gone")

    with capture_logs() as logs:
        async with anyio.create_task_group() as group:
            group.start_soon(running, "escalation", work, Metrics())
            with anyio.fail_after(PATIENCE_SECONDS):
                await is_working.wait()
            group.cancel_scope.cancel()

    assert [line["retry_in_seconds"] for line in logs] == [0.01, 0.02, 0.04, 0.01, 0.02]


async def test_cancellation_goes_through_the_work_and_is_no_failure() -> None:
    """Fails when cancellation is taken for an error (checked with `except BaseException`)."""
    worker, metrics = Worker(fails=0), Metrics()

    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as group:
            group.start_soon(keep_running, "escalation", worker.work, metrics)
            await worker.is_working.wait()
            group.cancel_scope.cancel()

    assert worker.was_cancelled
    assert failures(metrics, "escalation") == 0


async def test_cancellation_goes_through_the_pause_between_two_runs() -> None:
    metrics = Metrics()
    has_failed = anyio.Event()

    async def work() -> None:
        has_failed.set()
        raise OSError("the database is gone")

    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as group:
            group.start_soon(keep_running, "escalation", work, metrics)
            await has_failed.wait()
            group.cancel_scope.cancel()

    assert failures(metrics, "escalation") == 1


async def test_work_that_ends_by_itself_is_not_started_again() -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1

    with anyio.fail_after(PATIENCE_SECONDS):
        await keep_running("escalation", work, Metrics())

    assert runs == 1
