from __future__ import annotations

import anyio
import pytest

from app.core.bus import InProcessBus
from app.core.metrics import Metrics
from app.modules.vitals.manager import QUEUE_FRAMES, VitalsViewers

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 5


class Gallery:
    def __init__(self) -> None:
        self.bus = InProcessBus()
        self.metrics = Metrics()
        self.viewers = VitalsViewers(self.bus, self.metrics)

    def dropped(self) -> float:
        return self.metrics.registry.get_sample_value("tocsin_viewer_frames_dropped_total") or 0


@pytest.fixture
def gallery() -> Gallery:
    return Gallery()


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


async def test_a_viewer_gets_the_frames_of_its_patient_in_order(gallery: Gallery) -> None:
    with gallery.viewers.watching("P1") as viewer:
        gallery.viewers.publish("P1", b"first")
        gallery.viewers.publish("P2", b"of somebody else")
        gallery.viewers.publish("P1", b"second")
        assert [await viewer.next(), await viewer.next()] == [b"first", b"second"]


async def test_a_viewer_that_waits_is_woken_by_a_frame(gallery: Gallery) -> None:
    with gallery.viewers.watching("P1") as viewer, anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(viewer.next)
            await anyio.wait_all_tasks_blocked()
            gallery.viewers.publish("P1", b"frame")


async def test_every_viewer_gets_the_very_same_bytes(gallery: Gallery) -> None:
    frame = b"encoded once"
    with gallery.viewers.watching("P1") as one, gallery.viewers.watching("P1") as other:
        gallery.viewers.publish("P1", frame)
        assert await one.next() is frame
        assert await other.next() is frame


async def test_a_viewer_that_cannot_keep_up_loses_the_oldest_frames_and_they_are_counted(gallery: Gallery) -> None:
    frames = numbered(QUEUE_FRAMES + 3)
    with gallery.viewers.watching("P1") as viewer:
        for frame in frames:
            gallery.viewers.publish("P1", frame)
        assert [await viewer.next() for _ in range(QUEUE_FRAMES)] == frames[3:]
        assert viewer.dropped == 3
        assert gallery.dropped() == 3


async def test_a_slow_viewer_takes_nothing_from_a_quick_one(gallery: Gallery) -> None:
    frames = numbered(QUEUE_FRAMES * 3)
    with gallery.viewers.watching("P1") as slow, gallery.viewers.watching("P1") as quick:
        for frame in frames:
            gallery.viewers.publish("P1", frame)
            assert await quick.next() == frame
        assert quick.dropped == 0
        assert slow.dropped == QUEUE_FRAMES * 2


async def test_an_error_of_one_viewer_reaches_no_other(gallery: Gallery) -> None:
    with gallery.viewers.watching("P1") as other:
        with pytest.raises(RuntimeError, match="of its own"), gallery.viewers.watching("P1"):
            raise RuntimeError("of its own")
        gallery.viewers.publish("P1", b"frame")
        assert await other.next() == b"frame"
        assert gallery.viewers.count() == 1


async def test_the_bus_is_listened_to_while_a_patient_has_viewers_and_no_longer(gallery: Gallery) -> None:
    with gallery.viewers.watching("P1"):
        with gallery.viewers.watching("P1"), gallery.viewers.watching("P2"):
            assert gallery.bus.subscriber_count() == 2
            assert gallery.viewers.count() == 3
        assert gallery.bus.subscriber_count() == 1
    assert gallery.bus.subscriber_count() == 0
    assert gallery.viewers.count() == 0


async def test_frames_that_a_viewer_knows_already_can_be_thrown_away(gallery: Gallery) -> None:
    with gallery.viewers.watching("P1") as viewer:
        for frame in numbered(4):
            gallery.viewers.publish("P1", frame)
        viewer.keep(lambda frame: frame >= b"2")
        gallery.viewers.publish("P1", b"4")
        assert [await viewer.next() for _ in range(3)] == [b"2", b"3", b"4"]
