from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.vitals.decoding import LONGEST_FRAME, decode_from_node, decode_json, decode_msgpack
from app.modules.vitals.encoding import encode_for_nodes, encode_json, encode_msgpack
from app.modules.vitals.fields import FrameError
from app.modules.vitals.frames import Beats, Reading, Waveform
from app.modules.vitals.samples import Counts, Numbers, Samples
from app.modules.vitals.signs import NUMERICS, WAVEFORMS
from app.modules.vitals.waveform_fields import MOST_LEADS, MOST_SAMPLES

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 250_001, tzinfo=UTC)
_MOMENTS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def _readings(draw: st.DrawFn) -> Reading:
    vital_type = draw(st.sampled_from(list(NUMERICS)))
    sign = NUMERICS[vital_type]
    if vital_type == "consciousness":
        return Reading(vital_type, float(draw(st.integers(0, 4))), "", draw(_MOMENTS))
    if vital_type == "oxygen_supplement" and draw(st.booleans()):
        return Reading(vital_type, float(draw(st.booleans())), "", draw(_MOMENTS))
    return Reading(vital_type, draw(st.floats(sign.lowest, sign.highest)), sign.unit, draw(_MOMENTS))


_FINITE = st.floats(-1e12, 1e12)
_LEADS = st.just((None,)) | st.lists(st.sampled_from(["I", "II", "V5"]), min_size=1, unique=True).map(tuple)


@st.composite
def _waveforms(draw: st.DrawFn) -> Waveform:
    leads = draw(_LEADS)
    size = draw(st.integers(1, 20))
    samples: Samples
    if draw(st.booleans()):
        row = st.lists(_FINITE, min_size=size, max_size=size).map(tuple)
        samples = Numbers(tuple(draw(row) for _ in leads))
    else:
        worth = st.tuples(*(st.floats(1e-6, 1e6) for _ in leads))
        samples = Counts(draw(st.binary(min_size=2 * size, max_size=2 * size)) * len(leads), draw(worth), draw(worth))
    return Waveform(draw(st.sampled_from(list(WAVEFORMS))), draw(st.floats(1, 2000)), leads, samples, "mV", MOMENT)


@given(_readings())
def test_what_a_viewer_gets_of_a_reading_is_what_a_device_could_have_sent(reading: Reading) -> None:
    assert json.loads(encode_json("P1", reading))["patientId"] == "P1"
    assert msgspec.msgpack.decode(encode_msgpack("P1", reading)) == json.loads(encode_json("P1", reading))
    assert decode_json(encode_json("P1", reading).decode()) == reading
    assert decode_msgpack(encode_msgpack("P1", reading)) == reading


@given(_waveforms())
def test_what_another_node_gets_of_a_waveform_is_the_waveform(waveform: Waveform) -> None:
    assert decode_from_node(encode_for_nodes("P1", waveform)) == waveform


def test_the_largest_waveform_that_a_device_may_send_as_numbers_reaches_other_nodes() -> None:
    leads = tuple(f"lead {number}" for number in range(MOST_LEADS))
    waveform = Waveform("ecg", 500, leads, Numbers(((0.0,) * MOST_SAMPLES,) * MOST_LEADS), "mV", MOMENT)
    message = encode_for_nodes("P1", waveform)
    assert len(message) > LONGEST_FRAME
    assert decode_from_node(message) == waveform


@given(_waveforms())
def test_what_a_viewer_gets_of_a_waveform_is_right_to_half_a_count(waveform: Waveform) -> None:
    as_text = decode_json(encode_json("P1", waveform).decode())
    as_binary = decode_msgpack(encode_msgpack("P1", waveform))
    counts = waveform.samples.counts()
    assert isinstance(as_text, Waveform)
    assert isinstance(as_binary, Waveform)
    assert as_text.leads == as_binary.leads == waveform.leads
    assert as_binary.samples == counts
    if isinstance(waveform.samples, Numbers):
        assert as_text == waveform
    for index, scale in enumerate(counts.scales):
        for read in (as_text, as_binary):
            pairs = zip(waveform.samples.values(index), read.samples.values(index), strict=True)
            assert all(abs(sent - got) <= abs(scale) / 2 * (1 + 1e-9) + abs(sent) * 1e-12 for sent, got in pairs)


@given(st.builds(Beats, st.none() | st.just("II"), st.lists(_MOMENTS, min_size=1).map(sorted).map(tuple)))
def test_what_another_node_gets_of_beats_is_the_beats_and_no_device_can_say_them(beats: Beats) -> None:
    message = encode_for_nodes("P1", beats)
    assert decode_from_node(message) == beats
    with pytest.raises(FrameError) as refused:
        decode_msgpack(message)
    assert refused.value.code == "unknown_event"


@pytest.mark.parametrize(("lead", "written"), [("II", b'"II"'), (None, b"null")])
def test_what_a_viewer_gets_of_beats(lead: str | None, written: bytes) -> None:
    beats = Beats(lead, (MOMENT, MOMENT + timedelta(microseconds=749_999)))
    assert encode_json("P1", beats) == (
        b'{"event":"beats","patientId":"P1","lead":%b,'
        b'"timestamps":["2026-01-02T03:04:05.250001Z","2026-01-02T03:04:06Z"]}' % written
    )
    assert msgspec.msgpack.decode(encode_msgpack("P1", beats)) == json.loads(encode_json("P1", beats))


def test_a_viewer_is_spared_the_digits_of_binary_arithmetic() -> None:
    counts = Counts(b"\x3a\x02\x45\xff", (0.001,), (0.0,))
    assert counts.values() == [0.5700000000000001, -0.187]
    waveform = Waveform("ecg", 250, ("II",), counts, "mV", MOMENT + timedelta(microseconds=749_999))
    assert encode_json("P1", waveform) == (
        b'{"patientId":"P1","type":"ecg","sampleRate":250,"samples":[0.57,-0.187],"unit":"mV","lead":"II",'
        b'"timestamp":"2026-01-02T03:04:06Z"}'
    )
