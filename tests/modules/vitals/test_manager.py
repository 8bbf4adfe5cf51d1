from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest
import structlog.testing

from app.core.bus import InProcessBus
from app.core.metrics import Metrics
from app.core.sinks import unframed
from app.core.websocket_frames import as_text_frame
from app.modules.vitals.fanout import SLICE_SECONDS
from app.modules.vitals.manager import QUEUE_FRAMES, VitalsViewers
from app.modules.vitals.viewer import Viewer
from tests.servers import until
from tests.sinks import PacedSink

pytestmark = pytest.mark.anyio


class Gallery:
    def __init__(self, *, slow_consumer_seconds: float = 60) -> None:
        self.bus = InProcessBus()
        self.metrics = Metrics()
        self.viewers = VitalsViewers(self.bus, self.metrics, slow_consumer_seconds=slow_consumer_seconds)
        self.stuck: list[PacedSink] = []

    def dropped(self) -> float:
        return self.metrics.registry.get_sample_value("tocsin_viewer_frames_dropped_total") or 0

    @contextmanager
    def showing(self, *screens: PacedSink, patient_id: str = "P1") -> Iterator[list[Viewer]]:
        """Viewers that have seen the first readings."""
        with ExitStack() as opened:
            viewers = []
            for screen in screens:
                watching = self.viewers.watching(patient_id, screen, partial(self.stuck.append, screen))
                viewers.append(opened.enter_context(watching))
                viewers[-1].show([], everything)
            yield viewers

    async def publish(self, *frames: bytes, patient_id: str = "P1") -> None:
        """Each frame is written, or kept, before the next one comes."""
        for frame in frames:
            self.viewers.publish(patient_id, frame)
            await asyncio.sleep(0)


@pytest.fixture
def gallery() -> Gallery:
    return Gallery()


def everything(_frame: bytes) -> bool:
    return True


def nobody() -> None:
    """Is told, and does nothing."""


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


screen_with = partial(PacedSink, framing=as_text_frame)


def framed(*texts: bytes) -> list[bytes]:
    return [as_text_frame(text) for text in texts]


async def test_a_viewer_gets_the_frames_of_its_patient_in_order(gallery: Gallery) -> None:
    screen = screen_with()
    with gallery.showing(screen) as [viewer]:
        for patient_id, frame in (("P1", b"first"), ("P2", b"of somebody else"), ("P1", b"second")):
            gallery.viewers.publish(patient_id, frame)
        await until(lambda: screen.chunks == framed(b"first", b"second"))
        assert viewer.sent == 2


async def test_a_frame_is_made_once_for_each_framing_and_everybody_gets_the_very_same_bytes(gallery: Gallery) -> None:
    made: list[bytes] = []

    def counted(body: bytes) -> bytes:
        made.append(body)
        return as_text_frame(body)

    screens = [PacedSink(framing=framing) for framing in (counted, unframed) for _ in range(50)]
    with gallery.showing(*screens):
        await gallery.publish(b"encoded once")
        await until(lambda: all(screen.chunks for screen in screens))
    assert made == [b"encoded once"]
    for alike, expected in ((screens[:50], as_text_frame(b"encoded once")), (screens[50:], b"encoded once")):
        assert [screen.chunks for screen in alike] == [[expected]] * 50
        assert len({id(screen.chunks[0]) for screen in alike}) == 1


async def test_a_viewer_that_cannot_keep_up_loses_the_oldest_frames_and_they_are_counted(gallery: Gallery) -> None:
    screen = screen_with(room=2)
    frames = numbered(QUEUE_FRAMES + 6)
    with gallery.showing(screen) as [viewer]:
        await gallery.publish(*frames)
        # Two were taken, and one waits at the connection, which was paused by it.
        assert screen.chunks == framed(*frames[:2])
        assert viewer.dropped == gallery.dropped() == 3
        screen.make_room()
        await until(lambda: screen.chunks == framed(*frames[:3], *frames[6:]))


async def test_a_connection_that_takes_a_part_of_a_frame_is_given_the_rest(gallery: Gallery) -> None:
    screen = screen_with(takes_halves=True)
    with gallery.showing(screen):
        await gallery.publish(b"in two parts", b"and another")
        assert b"".join(screen.chunks) == b"".join(framed(b"in two parts", b"and another"))


async def test_a_slow_viewer_takes_nothing_from_a_quick_one(gallery: Gallery) -> None:
    slow, quick = screen_with(room=0), screen_with()
    frames = numbered(QUEUE_FRAMES * 3)
    with gallery.showing(slow, quick) as [slow_viewer, quick_viewer]:
        await gallery.publish(*frames)
        assert quick.chunks == framed(*frames)
        assert (quick_viewer.dropped, slow_viewer.dropped) == (0, QUEUE_FRAMES * 2)
        assert slow.chunks == []


@pytest.mark.parametrize(
    ("error", "logged"), [(ConnectionResetError(), []), (RuntimeError("of its own"), ["vitals.delivery_failed"])]
)
async def test_an_error_of_one_viewer_reaches_no_other(gallery: Gallery, error: Exception, logged: list[str]) -> None:
    def break_down(_chunk: bytes) -> None:
        raise error

    broken, other, third = screen_with(taking=break_down), screen_with(), screen_with()
    with gallery.showing(other, broken, third), structlog.testing.capture_logs() as logs:
        await gallery.publish(b"frame", b"another")
        assert [entry["event"] for entry in logs] == logged
        for screen in (other, third):
            assert screen.chunks == framed(b"frame", b"another")
        assert broken.is_cut_off
        assert not other.is_cut_off


async def test_a_viewer_that_fails_elsewhere_leaves_the_index(gallery: Gallery) -> None:
    other = screen_with()
    with gallery.showing(other):
        with pytest.raises(RuntimeError, match="of its own"), gallery.showing(screen_with()):
            raise RuntimeError("of its own")
        await gallery.publish(b"frame")
        assert other.chunks == framed(b"frame")
        assert gallery.viewers.count() == 1


async def test_the_bus_is_listened_to_while_a_patient_has_viewers_and_no_longer(gallery: Gallery) -> None:
    with gallery.showing(screen_with()):
        with gallery.showing(screen_with()), gallery.showing(screen_with(), patient_id="P2"):
            assert gallery.bus.subscriber_count() == 2
            assert gallery.viewers.count() == 3
        assert gallery.bus.subscriber_count() == 1
    assert gallery.bus.subscriber_count() == 0
    assert gallery.viewers.count() == 0


async def test_frames_gather_until_the_first_readings_are_shown_and_what_those_have_shown_is_not_repeated(
    gallery: Gallery,
) -> None:
    screen = screen_with()
    with gallery.viewers.watching("P1", screen, nobody) as viewer:
        await gallery.publish(*numbered(4))
        assert screen.chunks == []
        viewer.show([b"newest"], lambda frame: frame >= b"2")
        await gallery.publish(b"0", b"4")
        assert screen.chunks == framed(b"newest", b"2", b"3", b"0", b"4")
        assert viewer.sent == 5


async def test_a_viewer_that_takes_nothing_from_the_first_reading_on_keeps_the_newest_frames(gallery: Gallery) -> None:
    screen = screen_with(room=0)
    with gallery.viewers.watching("P1", screen, nobody) as viewer:
        viewer.show([b"newest"], everything)
        await gallery.publish(*numbered(QUEUE_FRAMES + 1))
        assert viewer.dropped == 1
        screen.make_room()
        await until(lambda: screen.chunks == framed(b"newest", *numbered(QUEUE_FRAMES + 1)[1:]))


@pytest.mark.parametrize("end", [Viewer.end, Viewer.left])
async def test_after_the_end_no_frame_goes_out(gallery: Gallery, end: Callable[[Viewer], None]) -> None:
    screen, late, paused = screen_with(), screen_with(), screen_with(room=0)
    with gallery.showing(screen, paused) as viewers, gallery.viewers.watching("P1", late, nobody) as unshown:
        gallery.viewers.publish("P1", b"handed in before the end, and not written yet")
        for viewer in (*viewers, unshown):
            end(viewer)
        unshown.show([b"newest"], everything)
        await gallery.publish(b"after it")
        paused.make_room()
        await gallery.publish(b"and after that")
        assert screen.chunks == late.chunks == paused.chunks == []


async def test_a_viewer_that_takes_nothing_for_long_is_given_up_and_one_that_takes_a_little_is_not() -> None:
    gallery = Gallery(slow_consumer_seconds=0.3)
    narrow, stuck = screen_with(room=0), screen_with(room=0)
    began = time.monotonic()
    with gallery.showing(narrow, stuck):
        for frame in numbered(1000):
            narrow.write(frame)
        while not gallery.stuck:
            narrow.make_room(1)
            await asyncio.sleep(0.01)
        assert time.monotonic() - began > 0.29
        assert gallery.stuck == [stuck]
        assert narrow.is_paused


async def test_who_takes_frames_again_or_has_left_is_not_given_up() -> None:
    gallery = Gallery(slow_consumer_seconds=0.1)
    again, gone, stuck = screen_with(room=0), screen_with(room=0), screen_with(room=0)
    with gallery.showing(again, gone, stuck) as [_, viewer, _]:
        await gallery.publish(b"frame")
        again.make_room()
        viewer.left()
        await until(lambda: gallery.stuck)
        assert gallery.stuck == [stuck]


async def test_a_large_fan_out_lets_the_loop_go_between_slices_and_keeps_each_order(gallery: Gallery) -> None:
    write_seconds = 0.0005

    def take_time(_chunk: bytes) -> None:
        until_then = time.perf_counter() + write_seconds
        while time.perf_counter() < until_then:
            pass

    screens = [screen_with(taking=take_time) for _ in range(40)]
    frames = numbered(3)
    with gallery.showing(*screens):
        for frame in frames:
            gallery.viewers.publish("P1", frame)
        turns = 0
        while not all(len(screen.chunks) == len(frames) for screen in screens):
            await asyncio.sleep(0)
            turns += 1
    assert turns >= len(screens) * len(frames) * write_seconds / SLICE_SECONDS
    assert all(screen.chunks == framed(*frames) for screen in screens)
