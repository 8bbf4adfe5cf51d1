from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import anyio
import pytest
import sqlalchemy as sa
import structlog.testing

from app.core.errors import InvalidField, ServiceUnavailable
from app.core.timestamps import to_rfc3339
from app.modules.vitals.encoding import encode_json
from app.modules.vitals.errors import InvalidReadings
from app.modules.vitals.fields import FrameError
from app.modules.vitals.frames import LeadStatus, Waveform
from app.modules.vitals.samples import Numbers
from app.modules.vitals.schemas import HistoryFilter, HistoryPage, Taken, read_cursor
from app.modules.vitals.service import LONGEST_OUTAGE
from app.modules.vitals.signs import NUMERICS
from app.modules.vitals.tracks import Tracks
from tests.modules.vitals.station import PATIENT, Station, open_station
from tests.modules.ward import Ward
from tests.servers import until

pytestmark = pytest.mark.anyio

ONE_NEW, ONE_DUPLICATE = Taken(accepted=1, duplicates=0), Taken(accepted=0, duplicates=1)


async def test_a_recorded_reading_is_stored_ruled_on_and_shown(station: Station) -> None:
    reading = station.reading()
    with station.screen() as screen:
        assert await station.service.record(PATIENT, [reading]) == ONE_NEW
        await until(lambda: screen.chunks == [encode_json(PATIENT, reading)])
    assert await station.stored() == [reading]
    assert station.rules.observed == [(PATIENT, "heart_rate", 72, reading.measured_at)]
    assert station.count("tocsin_vitals_readings_total", type="heart_rate") == 1


async def test_a_reading_that_is_sent_again_counts_once(station: Station) -> None:
    reading = station.reading()
    with station.screen() as screen:
        assert await station.service.record(PATIENT, [reading]) == ONE_NEW
        assert await station.service.record(PATIENT, [reading]) == ONE_DUPLICATE
        end = station.reading(seconds=1)
        station.viewers.publish(PATIENT, end)
        await until(lambda: screen.chunks == [encode_json(PATIENT, reading), encode_json(PATIENT, end)])
    assert len(await station.stored()) == len(station.rules.observed) == 1
    assert station.count("tocsin_vitals_readings_total", type="heart_rate") == 1
    assert station.count("tocsin_vitals_duplicates_total") == 1


async def test_a_reading_that_is_sent_again_before_it_is_committed_counts_once(ward: Ward) -> None:
    station = Station(ward)  # its writer does not run
    reading = station.reading()
    assert await station.service.take(PATIENT, [reading]) == ONE_NEW
    assert await station.service.take(PATIENT, [reading]) == ONE_DUPLICATE


async def test_a_reading_that_is_sent_again_after_a_restart_counts_once(ward: Ward) -> None:
    async with open_station(ward) as station:
        reading = station.reading()
        await station.service.record(PATIENT, [reading])
    async with open_station(ward) as restarted:
        assert await restarted.service.record(PATIENT, [reading]) == ONE_DUPLICATE
        assert restarted.rules.observed == []


async def test_the_same_moment_counts_for_each_type_and_each_patient(station: Station) -> None:
    await station.service.record(PATIENT, [station.reading(), station.reading(type="pulse")])
    assert await station.service.record("P2", [station.reading()]) == ONE_NEW
    assert len(await station.stored()) == 2


async def test_an_old_reading_counts_once_however_late_it_comes(station: Station) -> None:
    await station.service.record(PATIENT, [station.reading()])
    late = station.reading(80, seconds=-86_400)
    assert await station.service.record(PATIENT, [late]) == ONE_NEW
    assert await station.service.record(PATIENT, [late]) == ONE_DUPLICATE
    assert await station.stored() == [late, station.reading()]


async def test_many_readings_are_taken_once_each_and_ruled_on_in_the_order_of_their_times(station: Station) -> None:
    readings = [station.reading(60 + number % 30, seconds=-number) for number in range(120)]
    random.Random(1).shuffle(readings)
    taken = await station.service.record(PATIENT, [*readings[:70], *readings])
    assert taken == Taken(accepted=120, duplicates=70)
    times = [measured_at for *_, measured_at in station.rules.observed]
    assert times == sorted(times)
    assert len(times) == 120


async def test_two_senders_of_one_patient_have_their_turns_and_every_reading_counts_once(station: Station) -> None:
    readings = [station.reading(60 + number, seconds=number - 40) for number in range(40)]

    async def send() -> None:
        for reading in readings:
            await station.service.take(PATIENT, [reading])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        tasks.start_soon(send)
    await station.service.flush()
    assert [measured_at for *_, measured_at in station.rules.observed] == [it.measured_at for it in readings]
    assert station.rules.most_at_once == 1
    assert station.count("tocsin_vitals_duplicates_total") == 40
    assert await station.stored() == readings


async def test_the_rules_are_told_before_the_first_reading_of_as_much_as_they_look_at(ward: Ward) -> None:
    async with open_station(ward) as station:
        old, recent, last = (station.reading(seconds=seconds) for seconds in (-722, -719, -600))
        await station.service.record(PATIENT, [old, recent, last])
        assert station.rules.primed == [(PATIENT, [])]
    async with open_station(ward) as restarted:
        await restarted.service.record(PATIENT, [restarted.reading()])
        await restarted.service.record(PATIENT, [restarted.reading(seconds=1)])
        window = [("heart_rate", 72.0, it.measured_at) for it in (recent, last)]
        assert restarted.rules.primed == [(PATIENT, window)]
    async with open_station(ward) as restarted:
        restarted.rules.kept = {"heart_rate": (4, timedelta(0))}
        await restarted.service.record(PATIENT, [restarted.reading(seconds=2)])
        ((_, told),) = restarted.rules.primed
        assert [measured_at for *_, measured_at in told] == [
            recent.measured_at,
            last.measured_at,
            *(restarted.reading(seconds=seconds).measured_at for seconds in (0, 1)),
        ]


async def test_who_was_measured_before_a_restart_is_taken_up_where_silence_is_heeded(ward: Ward) -> None:
    async with open_station(ward) as station:
        day = LONGEST_OUTAGE.total_seconds()
        await station.service.record(PATIENT, [station.reading(seconds=-day - 299)])
        await station.service.record("P2", [station.reading(seconds=-day - 301)])
    async with open_station(ward) as restarted:
        await restarted.service.take_up_recent()
        assert restarted.rules.primed == []
        restarted.rules.longest_silence = timedelta(seconds=300)
        await restarted.service.take_up_recent()
        assert [patient_id for patient_id, _ in restarted.rules.primed] == [PATIENT]
        await restarted.service.record(PATIENT, [restarted.reading()])
        assert len(restarted.rules.primed) == 1


async def test_a_reading_is_stored_when_the_rules_fail_and_the_next_one_is_ruled_on(station: Station) -> None:
    station.rules.is_broken = True
    with structlog.testing.capture_logs() as logs:
        assert await station.service.record(PATIENT, [station.reading(171)]) == ONE_NEW
    station.rules.is_broken = False
    await station.service.record(PATIENT, [station.reading(72, seconds=1)])
    assert len(await station.stored()) == 2
    assert len(station.rules.observed) == 1
    assert station.count("tocsin_vitals_unruled_total") == 1
    assert [line["event"] for line in logs] == ["vitals.ruling_failed"]
    assert PATIENT not in str(logs)
    assert "171" not in str(logs)


async def test_readings_are_refused_and_not_lost_when_a_patient_cannot_be_taken_up(station: Station) -> None:
    async with station.ward.db.write() as session:
        await session.execute(sa.text("ALTER TABLE vital_readings RENAME TO out_of_reach"))
    with pytest.raises(ServiceUnavailable):
        await station.service.record(PATIENT, [station.reading()])
    async with station.ward.db.write() as session:
        await session.execute(sa.text("ALTER TABLE out_of_reach RENAME TO vital_readings"))
    assert await station.service.record(PATIENT, [station.reading()]) == ONE_NEW


async def test_a_waveform_is_shown_once_and_not_stored(station: Station) -> None:
    now = station.ward.clock.now()
    waveform = Waveform("ecg", 250, ("II",), Numbers(((0.0, 0.5),)), "mV", now)
    other_lead = Waveform("ecg", 250, ("I",), Numbers(((0.0, 0.4),)), "mV", now)
    station.service.tell_waveforms(station.curves)
    with station.screen() as screen:
        for sent in (waveform, waveform, other_lead):
            await station.service.accept(PATIENT, sent)
        await until(lambda: len(screen.chunks) == 2)
    assert screen.chunks == [encode_json(PATIENT, waveform), encode_json(PATIENT, other_lead)]
    assert station.curves.taken == [(PATIENT, waveform), (PATIENT, other_lead)]
    assert station.count("tocsin_vitals_duplicates_total") == 1
    assert await station.stored() == []


async def test_a_sensor_that_came_off_is_told_to_whoever_asked(station: Station) -> None:
    now = station.ward.clock.now()
    await station.service.accept(PATIENT, LeadStatus("ecg", "V1", True, now))
    station.service.tell_leads(station.curves)
    await station.service.accept(PATIENT, LeadStatus("ecg", "V1", False, now))
    assert station.curves.leads == [(PATIENT, "ecg", "V1", False, now)]


async def test_a_frame_from_the_future_is_refused(station: Station) -> None:
    ahead = station.ward.clock.now() + timedelta(seconds=61)
    waveform = Waveform("ecg", 250, (None,), Numbers(((0.0,),)), "mV", ahead)
    for frame in (station.reading(seconds=61), waveform, LeadStatus("ecg", None, True, ahead)):
        with pytest.raises(FrameError) as caught:
            await station.service.accept(PATIENT, frame)
        assert caught.value.code == "timestamp_in_future"
    assert station.rules.observed == []


async def test_of_many_readings_each_that_cannot_be_used_is_named_and_counted(station: Station) -> None:
    now = to_rfc3339(station.ward.clock.now())
    later = to_rfc3339(station.ward.clock.now() + timedelta(days=1))
    good = {"type": "heart_rate", "value": 72, "timestamp": now}
    items = [good, {**good, "value": 900}, {**good, "timestamp": later}, {**good, "type": "ecg"}]
    with pytest.raises(InvalidReadings) as caught:
        station.service.read_all((f"readings[{index}].", item) for index, item in enumerate(items))
    told = [(error["field"], error["code"]) for error in caught.value.extra["errors"]]
    assert told == [
        ("readings[1].value", "value_out_of_range"),
        ("readings[2].timestamp", "timestamp_in_future"),
        ("readings[3].type", "unknown_type"),
    ]
    assert station.count("tocsin_vitals_frames_refused_total", code="value_out_of_range") == 1


async def test_the_newest_of_each_type_is_given_as_it_came(station: Station) -> None:
    given = [
        station.reading(71, seconds=-1),
        station.reading(72),
        station.reading(97.5, type="spo2", unit="%"),
        station.reading(2, type="consciousness", unit=""),
        station.reading(1, type="oxygen_supplement", unit=""),
    ]
    await station.service.record(PATIENT, given)
    await station.service.record("P2", [station.reading(99, seconds=5)])
    assert await station.service.latest(PATIENT) == given[1:]


async def test_the_pages_of_a_history_join_without_gap_or_repetition(station: Station) -> None:
    types = list(NUMERICS)[:3]
    given = [
        station.reading(40 + number, seconds=-(number // 2), type=vital_type, unit=NUMERICS[vital_type].unit)
        for number in range(20)
        for vital_type in types
    ]
    await station.service.record(PATIENT, given)
    stored = await station.stored()
    assert len(stored) == 30
    pages, cursor = [], None
    while True:
        wanted = HistoryFilter(PATIENT, after=None if cursor is None else read_cursor(cursor))
        readings, has_more = await station.service.newest_first(wanted, limit=4)
        pages += readings
        cursor = HistoryPage.of(PATIENT, readings, has_more=has_more).next_cursor
        if cursor is None:
            break
    assert pages == stored[::-1]


async def test_a_history_is_narrowed_to_a_type_and_a_stretch_that_ends_before_its_end(station: Station) -> None:
    readings = [station.reading(60 + number, seconds=number) for number in range(5)]
    await station.service.record(PATIENT, [*readings, station.reading(type="pulse", seconds=2)])
    since, until = readings[1].measured_at, readings[4].measured_at
    wanted = HistoryFilter(PATIENT, "heart_rate", since, until)
    assert await station.service.newest_first(wanted, limit=2) == (readings[3:1:-1], True)
    assert await station.service.newest_first(wanted, limit=3) == (readings[3:0:-1], False)


@pytest.mark.parametrize("cursor", ["", "x", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z~ecg", "yesterday~spo2"])
def test_a_cursor_that_is_not_one_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read_cursor(cursor)
    assert caught.value.field == "cursor"


async def test_the_patient_who_was_quiet_the_longest_is_forgotten_first_and_nobody_who_is_sending() -> None:
    tracks = Tracks(limit=2)
    async with tracks.turn_of("P1") as first:
        second = tracks.of("P2")
        tracks.of("P3")
        assert tracks.of("P1") is first
        assert len(tracks) == 2
        assert tracks.of("P2") is not second


async def test_a_patient_who_was_forgotten_is_taken_up_again_from_the_table(ward: Ward) -> None:
    async with open_station(ward, most_patients=1) as station:
        reading = station.reading()
        for patient_id in ("P1", "P2"):
            await station.service.take(patient_id, [reading])
        assert await station.service.take("P1", [reading]) == ONE_DUPLICATE
        assert Counter(patient_id for patient_id, _ in station.rules.primed) == {"P1": 2, "P2": 1}
