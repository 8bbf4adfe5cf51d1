from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest
import structlog.testing

from app.core.bus import InProcessBus
from app.core.metrics import Metrics
from app.core.sinks import as_line, unframed
from app.core.websocket_frames import as_text_frame
from app.modules.vitals.encoding import encode_json, encode_msgpack
from app.modules.vitals.fanout import SLICE_SECONDS
from app.modules.vitals.frames import Beats, Reading, Shown, Waveform
from app.modules.vitals.group import BATCH
from app.modules.vitals.manager import QUEUE_FRAMES, VitalsViewers
from app.modules.vitals.renditions import Choice, Format
from app.modules.vitals.samples import Numbers
from app.modules.vitals.shared_frame import SharedFrame
from app.modules.vitals.viewer import LATE_SECONDS, Viewer
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

    async def publish(self, *frames: Shown, patient_id: str = "P1") -> None:
        """Each frame is written, or kept, before the next one comes."""
        for frame in frames:
            self.viewers.publish(patient_id, frame)
            await asyncio.sleep(0)


@pytest.fixture
def gallery() -> Gallery:
    return Gallery()


def everything(_frame: SharedFrame) -> bool:
    return True


def nobody() -> None:
    """Is told, and does nothing."""


MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def wave(number: int, lead: str = "II") -> Waveform:
    """A frame of a curve that is recognised by its only sample."""
    return Waveform("ecg", 250, (lead,), Numbers(((float(number),),)), "mV", MOMENT + timedelta(seconds=number))


def pulse(number: int) -> Reading:
    return Reading("pulse", float(number), "/min", MOMENT + timedelta(seconds=number))


def beats(count: int) -> Beats:
    return Beats("II", tuple(MOMENT + timedelta(seconds=number) for number in range(count)))


def first(number: int) -> SharedFrame:
    """A frame that a viewer is shown at the beginning."""
    return SharedFrame(as_line(encode_json("P1", wave(number))), wave(number), 0.0)


def numbered(count: int) -> list[Reading | Waveform]:
    return [wave(number) for number in range(count)]


screen_with = partial(PacedSink, framing=as_line)


def shown(screen: PacedSink) -> list[object]:
    """What the connection has taken: samples of lead II as numbers, those of others with their lead, beats counted."""
    return [_in_short(json.loads(line)) for line in b"".join(screen.chunks).splitlines()]


def _in_short(frame: dict[str, Any]) -> object:
    if frame.get("event") == "beats":
        return frame["event"], len(frame["timestamps"])
    if "event" in frame:
        return frame["event"], frame["frames"]
    if "value" in frame:
        return frame["type"], frame["value"]
    return frame["samples"][0] if frame["lead"] == "II" else (frame["lead"], frame["samples"][0])


async def test_a_viewer_gets_the_frames_of_its_patient_in_order(gallery: Gallery) -> None:
    screen = screen_with()
    with gallery.showing(screen) as [viewer]:
        for patient_id, frame in (("P1", wave(1)), ("P2", wave(2)), ("P1", pulse(3))):
            gallery.viewers.publish(patient_id, frame)
        await until(lambda: shown(screen) == [1, ("pulse", 3)])
        assert viewer.sent == 2


async def test_a_frame_is_made_once_for_each_framing_and_everybody_gets_the_very_same_bytes(gallery: Gallery) -> None:
    made: list[bytes] = []

    def counted(body: bytes) -> bytes:
        made.append(body)
        return as_text_frame(body)

    expected = encode_json("P1", wave(1))
    screens = [PacedSink(framing=framing) for framing in (counted, unframed) for _ in range(50)]
    with gallery.showing(*screens):
        await gallery.publish(wave(1))
        await until(lambda: all(screen.chunks for screen in screens))
    assert made == [expected]
    for alike, written in ((screens[:50], as_text_frame(expected)), (screens[50:], expected)):
        assert [screen.chunks for screen in alike] == [[written]] * 50
        assert len({id(screen.chunks[0]) for screen in alike}) == 1


async def test_each_choice_has_a_rendition_of_its_own_and_all_with_the_same_share_it(gallery: Gallery) -> None:
    choices = [Choice(), Choice(Format.BINARY), Choice(most_hz=1), Choice(Format.BINARY), Choice(most_hz=1)]
    with ExitStack() as opened:
        screens = [PacedSink(framing=unframed) for _ in choices]
        for choice, screen in zip(choices, screens, strict=True):
            opened.enter_context(gallery.viewers.watching("P1", screen, nobody, choice)).show([], everything)
        await gallery.publish(pulse(1), pulse(2))
        await until(lambda: [len(screen.chunks) for screen in screens] == [2, 2, 1, 2, 1])
        assert screens[1].chunks == [encode_msgpack("P1", pulse(1)), encode_msgpack("P1", pulse(2))]
        for one, other in ((1, 3), (2, 4)):
            assert screens[one].chunks[0] is screens[other].chunks[0]
        # The second one came too soon for those who want one in a second, and is not forgotten.
        await until(lambda: screens[2].chunks == [encode_json("P1", pulse(1)), encode_json("P1", pulse(2))])


async def test_beats_reach_those_who_ask_for_them_on_every_node_and_nobody_else(gallery: Gallery) -> None:
    nodes = (gallery.viewers, VitalsViewers(gallery.bus, Metrics(), slow_consumer_seconds=60))
    choices = (Choice(has_beats=True), Choice(), Choice(Format.BINARY, has_beats=True))
    with ExitStack() as opened:
        screens = [[PacedSink(framing=unframed) for _ in nodes] for _ in choices]
        for choice, alike in zip(choices, screens, strict=True):
            for node, screen in zip(nodes, alike, strict=True):
                opened.enter_context(node.watching("P1", screen, nobody, choice)).show([], everything)
        await gallery.publish(beats(2), pulse(1))
        await until(lambda: [[len(screen.chunks) for screen in alike] for alike in screens] == [[2, 2], [1, 1], [2, 2]])
    with_beats, without, in_binary = ([screen.chunks for screen in alike] for alike in screens)
    assert with_beats == [[encode_json("P1", beats(2)), encode_json("P1", pulse(1))]] * 2
    assert without == [[encode_json("P1", pulse(1))]] * 2
    assert in_binary == [[encode_msgpack("P1", beats(2)), encode_msgpack("P1", pulse(1))]] * 2


async def test_nothing_is_made_for_the_bus_when_nobody_listens(gallery: Gallery) -> None:
    """What cannot be written at all goes unnoticed until somebody watches that patient."""
    unwritable = cast(Waveform, object())
    await gallery.publish(unwritable)
    with gallery.showing(screen_with()):
        await gallery.publish(unwritable, patient_id="P2")
        with pytest.raises(AttributeError):
            await gallery.publish(unwritable)


async def test_a_viewer_that_cannot_keep_up_skips_to_the_newest_frame_and_is_told_how_many(gallery: Gallery) -> None:
    screen = screen_with(room=2)
    frames = numbered(QUEUE_FRAMES + 6)
    with gallery.showing(screen) as [viewer]:
        await gallery.publish(*frames)
        # Two were taken, and one waits at the connection, which was paused by it.
        assert shown(screen) == [0, 1]
        assert viewer.dropped == gallery.dropped() == QUEUE_FRAMES
        screen.make_room()
        await until(lambda: len(shown(screen)) == 7)
        newest = QUEUE_FRAMES + 3
        assert shown(screen) == [0, 1, 2, ("skipped", QUEUE_FRAMES), newest, newest + 1, newest + 2]
        await gallery.publish(wave(1000))
        assert shown(screen)[-2:] == [newest + 2, 1000]


async def test_of_each_curve_and_each_numeric_the_newest_stays(gallery: Gallery) -> None:
    screen = screen_with(room=0)
    with gallery.showing(screen):
        # The last one but two is one too many.
        await gallery.publish(wave(-1), pulse(1), pulse(2), wave(1, "V1"), wave(2, "V1"), *numbered(QUEUE_FRAMES - 2))
        screen.make_room()
        await until(lambda: shown(screen)[-1:] == [QUEUE_FRAMES - 3])
        skipped, *rest = shown(screen)
        assert skipped == ("skipped", QUEUE_FRAMES - 2)
        assert rest == [("pulse", 2), ("V1", 2), *(QUEUE_FRAMES - before for before in (5, 4, 3))]


async def test_of_beats_the_newest_message_stays_and_those_before_count_as_skipped(gallery: Gallery) -> None:
    screen = screen_with(room=0)
    with gallery.viewers.watching("P1", screen, nobody, Choice(has_beats=True)) as viewer:
        viewer.show([], everything)
        await gallery.publish(beats(1), beats(2), beats(3), *numbered(QUEUE_FRAMES - 2))
        screen.make_room()
        await until(lambda: shown(screen)[-1:] == [QUEUE_FRAMES - 3])
        assert shown(screen) == [("skipped", QUEUE_FRAMES - 1), ("beats", 3), QUEUE_FRAMES - 3]


async def test_leads_without_number_make_room_for_numerics(gallery: Gallery) -> None:
    screen = screen_with(room=0)
    with gallery.showing(screen):
        await gallery.publish(wave(0), pulse(1), *(wave(1, f"lead {number}") for number in range(QUEUE_FRAMES + 50)))
        screen.make_room()
        await until(lambda: shown(screen)[-1:] == [(f"lead {QUEUE_FRAMES + 49}", 1)])
        assert ("pulse", 1) in shown(screen)
        assert len(shown(screen)) <= QUEUE_FRAMES + 2


async def test_frames_that_have_waited_too_long_for_a_connection_are_skipped(gallery: Gallery) -> None:
    screen = screen_with(room=0)
    with gallery.showing(screen):
        await gallery.publish(*numbered(4))
        began = asyncio.get_running_loop().time()
        await until(lambda: asyncio.get_running_loop().time() > began + LATE_SECONDS)
        await gallery.publish(wave(4), wave(5))
        screen.make_room()
        await until(lambda: shown(screen)[-1:] == [5])
        assert shown(screen) == [("skipped", 4), 4, 5]


async def test_a_connection_that_takes_a_part_of_a_frame_is_given_the_rest(gallery: Gallery) -> None:
    screen = screen_with(takes_halves=True)
    with gallery.showing(screen):
        await gallery.publish(wave(1), wave(2))
        assert shown(screen) == [1, 2]


async def test_a_slow_viewer_takes_nothing_from_a_quick_one(gallery: Gallery) -> None:
    slow, quick = screen_with(room=0), screen_with()
    with gallery.showing(slow, quick) as [slow_viewer, quick_viewer]:
        await gallery.publish(*numbered(QUEUE_FRAMES * 3))
        assert shown(quick) == list(range(QUEUE_FRAMES * 3))
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
        await gallery.publish(wave(1), wave(2))
        assert [entry["event"] for entry in logs] == logged
        for screen in (other, third):
            assert shown(screen) == [1, 2]
        assert broken.is_cut_off
        assert not other.is_cut_off


async def test_a_viewer_that_fails_elsewhere_leaves_the_index(gallery: Gallery) -> None:
    other = screen_with()
    with gallery.showing(other):
        with pytest.raises(RuntimeError, match="of its own"), gallery.showing(screen_with()):
            raise RuntimeError("of its own")
        await gallery.publish(wave(1))
        assert shown(other) == [1]
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
        viewer.show([first(9)], lambda frame: frame.moment >= wave(2).started_at)
        await gallery.publish(wave(0), wave(4))
        assert shown(screen) == [9, 2, 3, 0, 4]
        assert viewer.sent == 5


async def test_a_viewer_that_takes_nothing_from_the_first_reading_on_keeps_the_newest_frames(gallery: Gallery) -> None:
    screen = screen_with(room=0)
    with gallery.viewers.watching("P1", screen, nobody) as viewer:
        viewer.show([first(-1)], everything)
        await gallery.publish(*numbered(QUEUE_FRAMES + 1))
        assert viewer.dropped == QUEUE_FRAMES
        screen.make_room()
        await until(lambda: shown(screen) == [-1, ("skipped", QUEUE_FRAMES), QUEUE_FRAMES])


@pytest.mark.parametrize("end", [Viewer.end, Viewer.left])
async def test_after_the_end_no_frame_goes_out(gallery: Gallery, end: Callable[[Viewer], None]) -> None:
    screen, late, paused = screen_with(), screen_with(), screen_with(room=0)
    with gallery.showing(screen, paused) as viewers, gallery.viewers.watching("P1", late, nobody) as unshown:
        gallery.viewers.publish("P1", wave(1))  # handed in before the end, and not written yet
        for viewer in (*viewers, unshown):
            end(viewer)
        unshown.show([first(0)], everything)
        await gallery.publish(wave(2))
        paused.make_room()
        await gallery.publish(wave(3))
        assert screen.chunks == late.chunks == paused.chunks == []


async def test_a_viewer_that_takes_nothing_for_long_is_given_up_and_one_that_takes_a_little_is_not() -> None:
    gallery = Gallery(slow_consumer_seconds=0.3)
    narrow, stuck = screen_with(room=0), screen_with(room=0)
    began = time.monotonic()
    with gallery.showing(narrow, stuck):
        for _ in range(1000):
            narrow.write(b"something")
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
        await gallery.publish(wave(1))
        again.make_room()
        viewer.left()
        await until(lambda: gallery.stuck)
        assert gallery.stuck == [stuck]


async def test_a_large_fan_out_lets_the_loop_go_between_slices_and_keeps_each_order(gallery: Gallery) -> None:
    write_seconds = 0.0001

    def take_time(_chunk: bytes) -> None:
        until_then = time.perf_counter() + write_seconds
        while time.perf_counter() < until_then:
            pass

    screens = [screen_with(taking=take_time) for _ in range(200)]
    frames = numbered(3)
    with gallery.showing(*screens):
        for frame in frames:
            gallery.viewers.publish("P1", frame)
        turns = 0
        while not all(len(screen.chunks) == len(frames) for screen in screens):
            await asyncio.sleep(0)
            turns += 1
    assert turns >= len(screens) * len(frames) * write_seconds / (SLICE_SECONDS + BATCH * write_seconds)
    assert all(shown(screen) == [0, 1, 2] for screen in screens)
