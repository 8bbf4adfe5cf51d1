"""Whatever is done to an alert, by whomever and in whatever order, what it promises holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
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

from app.core.roles import AUDIENCE_ROLES, in_order
from app.modules.alerts.lifecycle import (
    AcknowledgedByOther,
    AcknowledgeStatus,
    Actor,
    AlertHasEnded,
    EscalationStep,
    EventType,
    Finding,
    Plan,
    Priority,
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
from tests.modules.alerts.one_alert import (
    ACTIVE,
    ADMIN,
    DOCTOR,
    LATCHED,
    NOW,
    NURSE,
    SECOND,
    axes,
    event_types,
)

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
