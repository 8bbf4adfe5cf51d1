"""What devices and the analysis of the ECG say becomes alerts, each by the name that belongs to it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.roles import Role
from app.modules.devices.sensors import MOST_LEADS, Sensors, lead_condition
from tests.modules.devices.conftest import OpenDesk
from tests.modules.devices.desk import Desk, working

pytestmark = pytest.mark.anyio

#: As frames may name a lead: 1 to 16 printable ASCII characters.
leads = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=16)


class Bedside:
    """Says things to a node's sensors at the present, and waits until they have been done."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.sensors: Sensors = desk.sensors

    async def lead(self, lead: str | None, *, is_off: bool, type: str = "ecg") -> None:
        self.sensors.lead("P1", type, lead, is_off=is_off, at=self.desk.ward.clock.now())
        await self.desk.settled()

    async def quality(
        self, state: str, *, lead: str = "II", lasting_seconds: float = 0, why_bad: str = "noise"
    ) -> None:
        """The signal is so, and stays so for a while."""
        reason = why_bad if state == "bad" else None
        await self.sensors.quality("P1", lead, state, reason, self.desk.ward.clock.now())
        self.desk.ward.clock.advance(timedelta(seconds=lasting_seconds))
        self.sensors.look()
        await self.desk.settled()

    async def resolve_all(self, *, but: str | None = None) -> None:
        """A person resolves what is open about the measuring."""
        ward, alerts = self.desk.ward, self.desk.alerts
        for alert in await alerts.open_from("P1", "devices"):
            if alert.condition != but:
                await alerts.resolve(await ward.principal("admin"), alert.alert_id, None, note=None)

    @property
    def told(self) -> list[tuple[str, str, str]]:
        return [(event["event"], event["condition"], event["tier"]) for event in self.desk.log.events]


@pytest.fixture
async def bedside(desk: Desk) -> AsyncIterator[Bedside]:
    await desk.ward.user("admin", Role.ADMIN)
    async with working(desk.conditions):
        yield Bedside(desk)


@given(st.sampled_from(["ecg", "pleth", "resp_wave"]), leads)
def test_a_lead_that_is_off_has_an_id_for_its_name(type: str, lead: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", lead_condition(type, lead))


@given(leads, leads)
def test_two_leads_never_share_a_name(one: str, another: str) -> None:
    assert (lead_condition("ecg", one) == lead_condition("ecg", another)) is (one == another)


def test_the_usual_leads_are_named_as_they_are() -> None:
    assert lead_condition("ecg", "II") == "lead_off:ecg:II"
    assert lead_condition("pleth", None) == "lead_off:pleth"


async def test_a_lead_that_comes_off_is_alarmed_until_it_is_on_again(bedside: Bedside) -> None:
    for _ in range(2):
        await bedside.lead("II", is_off=True)
    await bedside.lead(None, is_off=True, type="pleth")
    await bedside.lead("V", is_off=False)
    await bedside.lead("II", is_off=False)
    assert bedside.told == [
        ("alert", "lead_off:ecg:II", "moderate"),
        ("alert", "lead_off:pleth", "slight"),
        ("alert_resolved", "lead_off:ecg:II", "moderate"),
    ]
    assert [event["reasons"] for event in bedside.desk.log.events[:2]] == [
        ["ecg lead II is off"],
        ["pleth sensor is off"],
    ]
    assert {event["kind"] for event in bedside.desk.log.events} == {"technical"}


async def test_a_signal_that_stays_bad_is_alarmed_until_it_stays_good(bedside: Bedside) -> None:
    await bedside.quality("bad", lasting_seconds=9)
    await bedside.quality("good", lasting_seconds=3)
    await bedside.quality("bad", lasting_seconds=10)
    assert bedside.told == [("alert", "ecg_signal_bad", "slight")]
    assert bedside.desk.log.events[0]["reasons"] == ["ecg signal cannot be used on lead II: noise"]
    await bedside.quality("good", lasting_seconds=4)
    await bedside.quality("good", lasting_seconds=1)
    assert bedside.told[1:] == [("alert_resolved", "ecg_signal_bad", "slight")]


async def test_a_signal_in_which_no_heart_was_ever_seen_to_beat_is_no_slight_matter(bedside: Bedside) -> None:
    """Whoever was in asystole while the server was away shows nothing else after it."""
    await bedside.quality("bad", lasting_seconds=10, why_bad="flat")
    await bedside.quality("bad", lasting_seconds=1, why_bad="no_beats")
    await bedside.quality("bad", lasting_seconds=1, why_bad="noise")
    await bedside.quality("good", lasting_seconds=5)
    await bedside.quality("bad", lasting_seconds=10, why_bad="no_beats")
    assert bedside.told == [
        ("alert", "ecg_signal_bad", "slight"),
        ("alert_updated", "ecg_signal_bad", "moderate"),
        ("alert_resolved", "ecg_signal_bad", "moderate"),
        ("alert", "ecg_signal_bad", "moderate"),
    ]


async def test_a_bad_signal_is_not_told_beside_the_lead_that_is_off(bedside: Bedside) -> None:
    """Fails without the watch's knowledge of leads (checked so)."""
    await bedside.quality("bad", lasting_seconds=10)
    await bedside.lead("II", is_off=True)
    await bedside.quality("bad", lasting_seconds=60)
    assert sorted(bedside.told) == [
        ("alert", "ecg_signal_bad", "slight"),
        ("alert", "lead_off:ecg:II", "moderate"),
        ("alert_resolved", "ecg_signal_bad", "slight"),
    ]
    await bedside.lead("II", is_off=False)
    await bedside.quality("bad", lasting_seconds=10)
    assert bedside.told[-1] == ("alert", "ecg_signal_bad", "slight")


async def test_a_bad_signal_is_told_where_the_lead_that_explained_it_was_resolved_by_hand(bedside: Bedside) -> None:
    """Whoever resolves it says that it is on again; where that is not to be seen, nobody watches the heart."""
    await bedside.lead("II", is_off=True)
    await bedside.quality("bad", lasting_seconds=60)
    await bedside.resolve_all()
    await bedside.quality("bad", lasting_seconds=9)
    assert [event for event, _, _ in bedside.told] == ["alert", "alert_resolved"]
    await bedside.quality("bad", lasting_seconds=1)
    assert bedside.told[2:] == [("alert", "ecg_signal_bad", "slight")]
    await bedside.lead("II", is_off=True)
    assert sorted(bedside.told[3:]) == [
        ("alert", "lead_off:ecg:II", "moderate"),
        ("alert_resolved", "ecg_signal_bad", "slight"),
    ]


async def test_a_lead_that_was_resolved_by_hand_stays_resolved_while_the_signal_is_good(bedside: Bedside) -> None:
    """The `lead_on` of its device may have been lost with the connection."""
    await bedside.lead("II", is_off=True)
    await bedside.quality("good", lasting_seconds=60)
    await bedside.resolve_all()
    await bedside.quality("good", lasting_seconds=60)
    assert bedside.told[1:] == [("alert_resolved", "lead_off:ecg:II", "moderate")]


async def test_of_two_leads_that_are_off_the_one_that_was_not_resolved_still_explains_its_signal(
    bedside: Bedside,
) -> None:
    await bedside.lead("II", is_off=True)
    await bedside.quality("bad", lasting_seconds=60)
    await bedside.lead("V", is_off=True)
    await bedside.resolve_all(but="lead_off:ecg:II")
    await bedside.quality("bad", lasting_seconds=60)
    assert bedside.told[2:] == [("alert_resolved", "lead_off:ecg:V", "moderate")]
    await bedside.resolve_all()
    await bedside.quality("bad", lasting_seconds=10)
    assert bedside.told[4:] == [("alert", "ecg_signal_bad", "slight")]


async def test_a_bad_signal_that_was_resolved_by_hand_stays_resolved_until_it_was_good(bedside: Bedside) -> None:
    await bedside.quality("bad", lasting_seconds=10)
    await bedside.resolve_all()
    await bedside.quality("bad", lasting_seconds=60)
    assert [event for event, _, _ in bedside.told] == ["alert", "alert_resolved"]
    await bedside.quality("good", lasting_seconds=5)
    await bedside.quality("bad", lasting_seconds=10)
    assert bedside.told[2:] == [("alert", "ecg_signal_bad", "slight")]


async def test_a_node_that_was_not_told_of_the_lead_tells_of_the_bad_signal_too_when_it_is_resolved(
    bedside: Bedside, open_desk: OpenDesk
) -> None:
    await bedside.lead("II", is_off=True)
    started_later = Bedside(open_desk())
    async with working(started_later.desk.conditions):
        await started_later.quality("bad", lasting_seconds=60)
        await started_later.resolve_all()
        await started_later.quality("bad", lasting_seconds=10)
    assert bedside.told[2:] == [("alert", "ecg_signal_bad", "slight")]


async def test_a_heart_that_stands_still_is_critical_at_once_and_stays_until_somebody_has_looked(
    bedside: Bedside,
) -> None:
    for is_present in (True, True, False, False, True):
        await bedside.sensors.asystole("P1", is_present=is_present, at=bedside.desk.ward.clock.now())
        await bedside.desk.settled()
    events = bedside.desk.log.events
    assert [(event["event"], event["signal"]) for event in events] == [
        ("alert", "on"), ("alert_updated", "latched"), ("alert_updated", "on"),
    ]  # fmt: skip
    assert {(event["kind"], event["vitalType"], event["tier"], event["source"]) for event in events} == {
        ("physiological", "ecg", "critical", "ecg")
    }


async def test_a_heart_that_stands_still_alarms_anew_when_its_alert_was_resolved_by_hand(bedside: Bedside) -> None:
    """As long as the ECG shows it: not while it cannot be relied on, is not there, or has just become good."""
    desk = bedside.desk
    admin = await desk.ward.principal("admin")

    async def resolve_and_wait(*, state: str, lasting_seconds: float = 5) -> list[str]:
        for alert in await desk.alerts.open_from("P1", "ecg"):
            await desk.alerts.resolve(admin, alert.alert_id, None, note=None)
        before = len(desk.log.entries)
        await bedside.quality(state, lasting_seconds=lasting_seconds)
        return [event["event"] for event in desk.log.events[before:] if event["condition"] == "asystole"]

    await bedside.quality("good", lasting_seconds=5)
    await bedside.sensors.asystole("P1", is_present=True, at=desk.ward.clock.now())
    await bedside.quality("good", lasting_seconds=60)
    assert [condition for _, condition, _ in bedside.told] == ["asystole"]
    assert await resolve_and_wait(state="good") == ["alert"]
    assert await resolve_and_wait(state="bad") == []
    assert await resolve_and_wait(state="good", lasting_seconds=4) == []
    assert await resolve_and_wait(state="good", lasting_seconds=1) == ["alert"]
    assert await resolve_and_wait(state="unknown") == []
    assert await resolve_and_wait(state="good") == ["alert"]
    await bedside.sensors.asystole("P1", is_present=False, at=desk.ward.clock.now())
    assert await resolve_and_wait(state="good") == []


async def test_a_device_that_names_ever_more_leads_does_not_fill_the_ward_with_alerts(bedside: Bedside) -> None:
    for number in range(MOST_LEADS + 10):
        bedside.sensors.lead("P1", "ecg", f"L{number}", is_off=True, at=bedside.desk.ward.clock.now())
    await bedside.desk.settled()
    assert len(bedside.told) == MOST_LEADS


async def test_a_device_that_signs_off_leaves_nothing_about_the_measuring_behind(
    bedside: Bedside, monitor: str
) -> None:
    """As a nurse does it: electrodes off, then the monitor."""
    desk = bedside.desk
    await desk.hear(monitor)
    await bedside.lead("II", is_off=True)
    await desk.leave(monitor, signed_off=True)
    await desk.settled()
    assert bedside.told[-1] == ("alert_resolved", "lead_off:ecg:II", "moderate")
    assert (desk.sensors._leads_off, desk.sensors._signals) == ({}, {})


async def test_a_lead_stays_off_while_another_device_of_the_patient_is_there_or_its_own_was_lost(
    bedside: Bedside, monitor: str
) -> None:
    desk = bedside.desk
    await desk.hear(monitor)
    await desk.hear("phone")
    await bedside.lead("II", is_off=True)
    await desk.leave("phone", signed_off=True)
    await desk.leave(monitor, signed_off=False)
    await desk.settled()
    assert bedside.told == [("alert", "lead_off:ecg:II", "moderate")]


async def test_a_device_with_a_wrong_clock_is_told_by_how_much_until_it_is_right(
    bedside: Bedside, monitor: str
) -> None:
    for behind_seconds in [-75.4] * 31 + [0.5, 0.5]:
        await bedside.desk.hear(monitor, behind_seconds=behind_seconds)
        bedside.desk.ward.clock.advance(timedelta(seconds=1))
    await bedside.desk.settled()
    raised, ended = bedside.desk.log.events
    assert (raised["condition"], raised["tier"], raised["kind"]) == (
        f"device_clock_off:{monitor}",
        "slight",
        "technical",
    )
    assert (raised["reasons"], raised["context"]) == (
        ["device clock 75 s ahead"],
        {"deviceId": monitor, "behindSeconds": -75},
    )
    assert (ended["event"], ended["condition"]) == ("alert_resolved", raised["condition"])


async def test_a_clock_so_far_behind_that_no_reading_can_alarm_is_no_slight_matter(
    bedside: Bedside, monitor: str
) -> None:
    """The rules pass over readings older than 120 s: whatever these show, nobody hears of the patient."""
    for behind_seconds in [119] * 31 + [3600] * 61:
        await bedside.desk.hear(monitor, behind_seconds=behind_seconds)
        bedside.desk.ward.clock.advance(timedelta(seconds=1))
    await bedside.desk.settled()
    assert [(event["tier"], event["reasons"]) for event in bedside.desk.log.events] == [
        ("slight", ["device clock 119 s behind"]),
        ("moderate", ["device clock 3600 s behind: its readings are too old to alarm"]),
    ]


async def test_a_clock_that_is_ahead_is_found_in_frames_that_were_refused_which_are_no_sign_of_life(
    bedside: Bedside, monitor: str
) -> None:
    desk = bedside.desk
    await desk.hear(monitor)
    for second in range(40):
        now = desk.ward.clock.now()
        desk.devices.ahead(monitor, "P1", now=now, measured_at=now + timedelta(hours=1))
        if second % 10 == 9:
            await desk.leave(monitor, signed_off=False)  # ten errors in a row: it is sent away, and comes back
        await desk.look_for(1)
    await desk.settled()
    assert sorted(event["condition"].split(":")[0] for event in desk.log.events) == [
        "device_clock_off",
        "device_silent",
    ]
