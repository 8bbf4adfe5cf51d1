from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.core.roles import AUDIENCE_ROLES, Role, in_order
from app.modules.alerts.lifecycle import (
    AcknowledgedByOther,
    AcknowledgeStatus,
    Actor,
    Alert,
    AlertHasEnded,
    EscalationStep,
    EventType,
    Finding,
    Kind,
    Plan,
    Priority,
    Resolution,
    Responsibility,
    Signal,
    State,
    Tier,
    Transition,
    acknowledge,
    condition_gone,
    escalate,
    raise_again,
    raise_alert,
    resolve,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)

NURSE = Actor("u-nurse", "Nora", Role.NURSE)
DOCTOR = Actor("u-doctor", "Dan", Role.DOCTOR)
ADMIN = Actor("u-admin", "Ada", Role.ADMIN)

FIRST_TOLD = frozenset({Role.PATIENT, Role.NURSE})
STEPS = (
    EscalationStep(30 * SECOND, frozenset({Role.DISPATCHER, Role.HOSPITAL})),
    EscalationStep(60 * SECOND, frozenset({Role.FIRST_RESPONDER})),
)
PLAN = Plan(FIRST_TOLD, STEPS)


def finding(tier: Tier = Tier.CRITICAL, *reasons: str, window: tuple[float, ...] = (190, 192, 188)) -> Finding:
    return Finding(tier, reasons or ("heart_rate above 180 for 3 samples",), window, unit="/min")


def raised(tier: Tier = Tier.CRITICAL, plan: Plan = PLAN) -> Alert:
    return raise_alert("a1", "p1", "heart_rate_high", "heart_rate", finding(tier), plan, now=NOW).alert


def event_types(transition: Transition) -> list[EventType]:
    return [event.type for event in transition.events]


def axes(alert: Alert) -> tuple[State, bool, Signal, Responsibility]:
    return alert.state, alert.condition_present, alert.signal, alert.responsibility


ACTIVE = (State.ACTIVE, True, Signal.ON, Responsibility.UNDEFINED)
LATCHED = (State.ACTIVE, False, Signal.LATCHED, Responsibility.UNDEFINED)
ACKNOWLEDGED = (State.ACKNOWLEDGED, True, Signal.ACKNOWLEDGED, Responsibility.ACCEPTED)


@pytest.mark.parametrize(
    ("tier", "priority"),
    [(Tier.SLIGHT, Priority.LOW), (Tier.MODERATE, Priority.MEDIUM), (Tier.CRITICAL, Priority.HIGH)],
)
def test_each_tier_has_its_priority(tier: Tier, priority: Priority) -> None:
    assert tier.priority is priority


def test_tiers_get_worse_from_slight_to_critical() -> None:
    worse = {(one, other) for one in Tier for other in Tier if one.is_worse_than(other)}

    assert worse == {(Tier.MODERATE, Tier.SLIGHT), (Tier.CRITICAL, Tier.SLIGHT), (Tier.CRITICAL, Tier.MODERATE)}


def test_a_new_alert_tells_its_recipients_and_arms_its_first_step() -> None:
    transition = raise_alert(
        "a1",
        "p1",
        "heart_rate_high",
        "heart_rate",
        finding(),
        PLAN,
        now=NOW,
        kind=Kind.TECHNICAL,
        source="device",
        raised_at=NOW - 10 * SECOND,
    )

    alert = transition.alert
    assert axes(alert) == ACTIVE
    assert (alert.kind, alert.source, alert.recipients) == (Kind.TECHNICAL, "device", FIRST_TOLD)
    assert alert.raised_at == NOW - 10 * SECOND
    assert alert.next_escalation_at == NOW + 30 * SECOND, "people are given their time from when they are told"
    assert [(event.type, event.alert, event.at) for event in transition.events] == [(EventType.RAISED, alert, NOW)]


def test_an_alert_without_steps_is_never_armed() -> None:
    assert raised(plan=Plan(FIRST_TOLD)).next_escalation_at is None


def test_escalation_tells_the_next_recipients_when_each_step_is_due_and_then_ends() -> None:
    alert = raised()

    first = escalate(alert, now=NOW + 31 * SECOND)
    assert event_types(first) == [EventType.ESCALATED]
    assert (first.alert.escalation_level, first.alert.recipients) == (1, FIRST_TOLD | STEPS[0].recipients)
    assert first.alert.next_escalation_at == NOW + 91 * SECOND, "the next step counts from when this one was acted on"

    second = escalate(first.alert, now=NOW + 91 * SECOND)
    assert second.alert.escalation_level == 2
    assert second.alert.recipients == FIRST_TOLD | STEPS[0].recipients | STEPS[1].recipients
    assert second.alert.next_escalation_at is None
    assert escalate(second.alert, now=NOW + timedelta(days=1)).events == ()


@pytest.mark.parametrize(
    ("seconds", "fires"), [(0, False), (29.999999, False), (30, True)], ids=["at once", "too early", "when due"]
)
def test_a_step_never_fires_before_it_is_due(seconds: float, *, fires: bool) -> None:
    """Fails with `<=` in place of `<`, and without the comparison (checked with each)."""
    alert = raised()
    transition = escalate(alert, now=NOW + seconds * SECOND)

    assert bool(transition.events) is fires
    assert (transition.alert == alert) is not fires


def test_an_acknowledgement_silences_and_disarms() -> None:
    transition = acknowledge(raised(), NURSE, now=NOW + SECOND, status=AcknowledgeStatus.CONFIRMED, note="on my way")

    alert = transition.alert
    assert event_types(transition) == [EventType.ACKNOWLEDGED]
    assert axes(alert) == ACKNOWLEDGED
    assert alert.next_escalation_at is None
    assert alert.acknowledgement is not None
    assert (alert.acknowledgement.actor, alert.acknowledgement.at) == (NURSE, NOW + SECOND)
    assert (alert.acknowledgement.status, alert.acknowledgement.note) == (AcknowledgeStatus.CONFIRMED, "on my way")


def test_repeating_ones_acknowledgement_changes_nothing() -> None:
    alert = acknowledge(raised(), NURSE, now=NOW, note="on my way").alert

    assert acknowledge(alert, NURSE, now=NOW + SECOND) == Transition(alert)
    assert acknowledge(alert, NURSE, now=NOW + SECOND, note="on my way") == Transition(alert)


def test_another_note_of_the_same_person_is_told_and_no_note_takes_none_away() -> None:
    """Fails when a repetition is known by its status alone (checked so)."""
    alert = acknowledge(raised(), NURSE, now=NOW, note="on my way").alert

    other = acknowledge(alert, NURSE, now=NOW + SECOND, note="lead was off")
    assert event_types(other) == [EventType.ACKNOWLEDGED]
    assert other.alert.acknowledgement is not None
    assert other.alert.acknowledgement.note == "lead was off"

    confirmed = acknowledge(other.alert, NURSE, now=NOW + 2 * SECOND, status=AcknowledgeStatus.CONFIRMED).alert
    assert confirmed.acknowledgement is not None
    assert confirmed.acknowledgement.note == "lead was off"


def test_saying_something_else_about_ones_own_alert_is_told() -> None:
    alert = acknowledge(raised(), NURSE, now=NOW).alert

    transition = acknowledge(alert, NURSE, now=NOW + SECOND, status=AcknowledgeStatus.FALSE_ALARM)

    assert event_types(transition) == [EventType.ACKNOWLEDGED]
    assert transition.alert.acknowledgement is not None
    assert transition.alert.acknowledgement.status is AcknowledgeStatus.FALSE_ALARM
    assert axes(transition.alert) == ACKNOWLEDGED


@pytest.mark.parametrize("status", AcknowledgeStatus)
def test_what_somebody_else_has_taken_on_cannot_be_taken_on(status: AcknowledgeStatus) -> None:
    alert = acknowledge(raised(), NURSE, now=NOW).alert

    with pytest.raises(AcknowledgedByOther) as refused:
        acknowledge(alert, DOCTOR, now=NOW + SECOND, status=status)

    assert refused.value.acknowledgement == alert.acknowledgement


def test_calling_it_resolved_ends_it_with_both_events() -> None:
    transition = acknowledge(raised(), NURSE, now=NOW, status=AcknowledgeStatus.RESOLVED, note="lead was off")

    assert event_types(transition) == [EventType.ACKNOWLEDGED, EventType.RESOLVED]
    told, ended = transition.events
    assert told.alert.state is State.ACKNOWLEDGED
    assert ended.alert == transition.alert
    assert transition.alert.resolution == Resolution(NOW, NURSE, "lead was off")


@pytest.mark.parametrize("tier", [Tier.SLIGHT, Tier.MODERATE])
def test_below_high_priority_an_alert_ends_by_itself_with_its_condition(tier: Tier) -> None:
    transition = condition_gone(raised(tier), now=NOW + SECOND)

    assert event_types(transition) == [EventType.RESOLVED]
    assert transition.alert.resolution == Resolution(NOW + SECOND)
    assert axes(transition.alert) == (State.RESOLVED, False, Signal.OFF, Responsibility.UNDEFINED)


def test_a_high_priority_alert_latches_and_escalates_until_somebody_has_looked() -> None:
    """Fails when every alert ends with its condition, and when latching disarms (checked with each)."""
    transition = condition_gone(raised(), now=NOW + SECOND)

    assert event_types(transition) == [EventType.UPDATED]
    assert axes(transition.alert) == LATCHED
    escalated = escalate(transition.alert, now=NOW + 30 * SECOND)
    assert event_types(escalated) == [EventType.ESCALATED]
    assert axes(escalated.alert) == LATCHED

    looked = acknowledge(escalated.alert, NURSE, now=NOW + 40 * SECOND)
    assert event_types(looked) == [EventType.ACKNOWLEDGED, EventType.RESOLVED]
    assert looked.alert.resolution == Resolution(NOW + 40 * SECOND, NURSE)


def test_a_high_priority_alert_that_somebody_has_ends_by_itself() -> None:
    alert = acknowledge(raised(), NURSE, now=NOW).alert

    transition = condition_gone(alert, now=NOW + SECOND)

    assert event_types(transition) == [EventType.RESOLVED]
    assert transition.alert.resolution == Resolution(NOW + SECOND)
    assert transition.alert.acknowledgement == alert.acknowledgement


def test_a_latched_alert_sounds_again_when_its_condition_returns() -> None:
    latched = condition_gone(raised(), now=NOW + SECOND).alert

    transition = raise_again(latched, latched.finding, PLAN, now=NOW + 2 * SECOND)

    assert event_types(transition) == [EventType.UPDATED]
    assert axes(transition.alert) == ACTIVE
    assert transition.alert.next_escalation_at == NOW + 30 * SECOND, "the people who are late are not given more time"


def test_a_latched_alert_whose_condition_returns_milder_keeps_its_tier() -> None:
    """Made milder it would end by itself, seen by nobody; fails without that rule (checked so)."""
    latched = condition_gone(raised(), now=NOW + SECOND).alert
    milder = finding(Tier.MODERATE, "heart_rate above 120 for 10 samples", window=(130, 131))

    transition = raise_again(latched, milder, PLAN, now=NOW + 2 * SECOND)

    assert event_types(transition) == [EventType.UPDATED]
    assert axes(transition.alert) == ACTIVE
    assert transition.alert.finding == replace(milder, tier=Tier.CRITICAL)
    assert axes(condition_gone(transition.alert, now=NOW + 3 * SECOND).alert) == LATCHED


def test_what_somebody_has_may_become_milder_and_stays_theirs() -> None:
    alert = acknowledge(raised(), NURSE, now=NOW).alert

    transition = raise_again(alert, finding(Tier.MODERATE), PLAN, now=NOW + SECOND)

    assert event_types(transition) == [EventType.UPDATED]
    assert transition.alert.tier is Tier.MODERATE
    assert axes(transition.alert) == ACKNOWLEDGED


def test_a_repetition_that_says_nothing_new_changes_nothing() -> None:
    alert = raised()

    assert raise_again(alert, alert.finding, PLAN, now=NOW + SECOND) == Transition(alert)


@pytest.mark.parametrize(
    "news", [finding(Tier.CRITICAL, "another reason"), finding(window=(200, 201, 202))], ids=["reasons", "window"]
)
def test_news_of_the_same_tier_are_told_and_disturb_nothing(news: Finding) -> None:
    for alert in (raised(), acknowledge(raised(), NURSE, now=NOW).alert):
        transition = raise_again(alert, news, PLAN, now=NOW + SECOND)

        assert event_types(transition) == [EventType.UPDATED]
        assert transition.alert == replace(alert, finding=news)


def test_a_worse_tier_after_acknowledgement_sounds_again_and_belongs_to_nobody() -> None:
    """Fails when it keeps the owner, the level or the old steps (checked with each)."""
    alert = escalate(raised(Tier.MODERATE), now=NOW + 30 * SECOND).alert
    alert = acknowledge(alert, NURSE, now=NOW + 31 * SECOND).alert
    worse_plan = Plan(frozenset({Role.CAREGIVER}), (EscalationStep(5 * SECOND, frozenset({Role.DOCTOR})),))

    transition = raise_again(alert, finding(), worse_plan, now=NOW + 40 * SECOND)

    worse = transition.alert
    assert event_types(transition) == [EventType.UPDATED]
    assert axes(worse) == ACTIVE
    assert (worse.tier, worse.acknowledgement, worse.escalation_level) == (Tier.CRITICAL, None, 0)
    assert worse.recipients == alert.recipients | {Role.CAREGIVER}
    assert (worse.steps, worse.next_escalation_at) == (worse_plan.steps, NOW + 45 * SECOND)
    assert event_types(acknowledge(worse, DOCTOR, now=NOW + 41 * SECOND)) == [EventType.ACKNOWLEDGED]


def test_closing_by_hand_leaves_the_condition_as_it_was() -> None:
    transition = resolve(raised(), now=NOW, actor=NURSE, note="transferred")

    assert event_types(transition) == [EventType.RESOLVED]
    assert axes(transition.alert) == (State.RESOLVED, True, Signal.OFF, Responsibility.UNDEFINED)
    assert transition.alert.resolution == Resolution(NOW, NURSE, "transferred")
    assert transition.alert.next_escalation_at is None


def test_nothing_but_a_late_acknowledgement_happens_to_an_alert_that_has_ended() -> None:
    ended = resolve(raised(Tier.MODERATE), now=NOW).alert
    later = NOW + timedelta(hours=1)

    assert resolve(ended, now=later, actor=ADMIN) == Transition(ended)
    assert condition_gone(ended, now=later) == Transition(ended)
    assert escalate(ended, now=later) == Transition(ended)
    with pytest.raises(AlertHasEnded):
        raise_again(ended, finding(), PLAN, now=later)

    noted = acknowledge(ended, NURSE, now=later, status=AcknowledgeStatus.RESOLVED)
    assert event_types(noted) == [EventType.ACKNOWLEDGED]
    assert axes(noted.alert) == (State.RESOLVED, False, Signal.OFF, Responsibility.ACCEPTED)
    assert noted.alert.resolution == ended.resolution
    with pytest.raises(AcknowledgedByOther):
        acknowledge(noted.alert, DOCTOR, now=later)


ROLES = st.frozensets(st.sampled_from(in_order(AUDIENCE_ROLES)), max_size=4)
PLANS = st.builds(
    Plan,
    ROLES,
    st.lists(st.builds(EscalationStep, st.integers(1, 60).map(lambda n: n * SECOND), ROLES), max_size=3).map(tuple),
)
FINDINGS = st.builds(
    Finding,
    st.sampled_from(Tier),
    st.sampled_from([("high",), ("higher",)]),
    st.sampled_from([(190.0,), (195.0, 200.0)]),
)
ACTORS = st.sampled_from([NURSE, DOCTOR, ADMIN])


class AlertLife(RuleBasedStateMachine):
    """An alert in the hands of rules, people and the escalation worker, who all come when they will."""

    @initialize(found=FINDINGS, plan=PLANS)
    def raise_first(self, found: Finding, plan: Plan) -> None:
        self.now = NOW
        transition = raise_alert("a1", "p1", "heart_rate_high", "heart_rate", found, plan, now=NOW)
        self.alert = transition.alert
        assert event_types(transition) == [EventType.RAISED]

    @rule(seconds=st.integers(1, 70))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule(found=FINDINGS, plan=PLANS)
    def report_again(self, found: Finding, plan: Plan) -> None:
        before = self.alert
        if not before.is_open:
            with pytest.raises(AlertHasEnded):
                raise_again(before, found, plan, now=self.now)
            return
        transition = self.after(raise_again, found, plan)
        after = transition.alert
        assert set(event_types(transition)) <= {EventType.UPDATED}
        assert after.condition_present
        if found.tier.is_worse_than(before.tier):
            assert transition.events
            assert axes(after) == ACTIVE
            assert after.acknowledgement is None
            assert after.escalation_level == 0
            assert plan.recipients <= after.recipients
            due_at = self.now + plan.steps[0].after if plan.steps else None
            assert (after.steps, after.next_escalation_at) == (plan.steps, due_at)
        else:
            if before.signal is Signal.LATCHED:
                assert after.tier is before.tier, "nobody has looked at it yet"
            is_repetition = (after.tier, after.finding.vitals_window, after.finding.reasons) == (
                before.tier,
                before.finding.vitals_window,
                before.finding.reasons,
            )
            assert event_types(transition) == [EventType.UPDATED] * (not (is_repetition and before.condition_present))
            assert (after.responsibility, after.acknowledgement) == (before.responsibility, before.acknowledgement)
            assert (after.escalation_level, after.next_escalation_at) == (
                before.escalation_level,
                before.next_escalation_at,
            )

    @rule(actor=ACTORS, status=st.sampled_from(AcknowledgeStatus), note=st.sampled_from([None, "a", "b"]))
    def take_on(self, actor: Actor, status: AcknowledgeStatus, note: str | None) -> None:
        before = self.alert
        earlier = before.acknowledgement
        if earlier is not None and earlier.actor != actor:
            with pytest.raises(AcknowledgedByOther) as refused:
                acknowledge(before, actor, now=self.now, status=status, note=note)
            assert refused.value.acknowledgement == earlier
            return
        transition = self.after(acknowledge, actor, status=status, note=note)
        if earlier is not None and earlier.status is status and note in {None, earlier.note}:
            assert transition.events == ()
            return
        ends = before.is_open and (status is AcknowledgeStatus.RESOLVED or not before.condition_present)
        assert event_types(transition) == [EventType.ACKNOWLEDGED] + [EventType.RESOLVED] * ends
        taken_on = transition.alert.acknowledgement
        assert taken_on is not None
        assert (taken_on.actor, taken_on.status, taken_on.at) == (actor, status, self.now)
        assert taken_on.note == (earlier.note if earlier is not None and note is None else note)

    @rule(actor=st.none() | ACTORS)
    def close(self, actor: Actor | None) -> None:
        was_open = self.alert.is_open
        transition = self.after(resolve, actor=actor)
        assert event_types(transition) == [EventType.RESOLVED] * was_open

    @rule()
    def return_to_normal(self) -> None:
        before = self.alert
        transition = self.after(condition_gone)
        nobody_has_it = before.responsibility is not Responsibility.ACCEPTED
        if not before.is_open or not before.condition_present:
            assert transition.events == ()
        elif before.tier.priority is Priority.HIGH and nobody_has_it:
            assert axes(transition.alert) == LATCHED
            assert transition.alert.next_escalation_at == before.next_escalation_at
        else:
            assert transition.alert.state is State.RESOLVED

    @rule()
    def worker_looks(self) -> None:
        before = self.alert
        transition = self.after(escalate)
        due_at = before.next_escalation_at
        is_due = due_at is not None and due_at <= self.now
        assert event_types(transition) == [EventType.ESCALATED] * is_due
        if is_due:
            step = before.steps[before.escalation_level]
            assert transition.alert.escalation_level == before.escalation_level + 1
            assert transition.alert.recipients == before.recipients | step.recipients

    @precondition(lambda self: self.alert.next_escalation_at is not None)
    @rule()
    def worker_looks_just_before_and_just_when_it_is_due(self) -> None:
        due_at = self.alert.next_escalation_at
        assert due_at is not None
        if self.now < due_at:
            self.now = due_at - timedelta(microseconds=1)
            assert self.after(escalate).events == ()
            self.now = due_at
        assert event_types(self.after(escalate)) == [EventType.ESCALATED]

    def after(self, command: Callable[..., Transition], *arguments: Any, **options: Any) -> Transition:
        """Give a command, and check what holds of every command there is."""
        before = self.alert
        transition = command(before, *arguments, now=self.now, **options)
        after = self.alert = transition.alert
        if transition.events:
            assert transition.events[-1].alert == after
            assert all(event.at == self.now for event in transition.events)
        else:
            assert after == before
        assert before.recipients <= after.recipients
        if before.resolution is not None:
            assert after.resolution == before.resolution
        if after.escalation_level < before.escalation_level:
            assert after.tier.is_worse_than(before.tier)
        if after.tier.is_worse_than(before.tier) is False and before.next_escalation_at != after.next_escalation_at:
            is_disarmed = after.next_escalation_at is None
            assert is_disarmed or after.escalation_level == before.escalation_level + 1, "nobody is given more time"
        assert (after.alert_id, after.patient_id, after.condition, after.raised_at) == (
            before.alert_id,
            before.patient_id,
            before.condition,
            before.raised_at,
        )
        return transition

    @invariant()
    def the_axes_fit_together(self) -> None:
        alert = self.alert
        is_resolved = alert.state is State.RESOLVED
        is_accepted = alert.responsibility is Responsibility.ACCEPTED
        assert is_resolved == (alert.resolution is not None) == (alert.signal is Signal.OFF)
        assert is_accepted == (alert.acknowledgement is not None)
        if not is_resolved:
            assert (alert.state is State.ACKNOWLEDGED) == is_accepted == (alert.signal is Signal.ACKNOWLEDGED)
            assert (alert.signal is Signal.LATCHED) == (not alert.condition_present)
        if alert.signal is Signal.LATCHED:
            assert alert.tier.priority is Priority.HIGH
            assert not is_accepted

    @invariant()
    def the_next_step_is_armed_exactly_while_nobody_has_it(self) -> None:
        alert = self.alert
        is_waiting = alert.is_open and alert.responsibility is not Responsibility.ACCEPTED
        has_steps_left = alert.escalation_level < len(alert.steps)
        assert (alert.next_escalation_at is not None) == (is_waiting and has_steps_left)


def test_whatever_is_done_to_an_alert_in_whatever_order_its_promises_hold() -> None:
    """Checked by breaking one line at a time: each mechanism that the tests above name fails here as well."""
    run_state_machine_as_test(AlertLife, settings=settings(max_examples=300, stateful_step_count=25, deadline=None))
