"""PURE: one patient's readings against the rules.

`PatientWatch` keeps the last readings of one patient and decides, reading by reading, what is to be
reported; whoever acts on its decisions tells it what came of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from app.modules.alerts.lifecycle import Finding, Tier
from app.modules.alerts.rules.book import Condition, Level, RuleBook
from app.modules.alerts.rules.chart import Chart, Insertion, Series, View
from app.modules.alerts.rules.criteria import NEWS2
from app.modules.alerts.rules.timing import Run

#: An alert shows no more readings than this.
LONGEST_WINDOW: Final = 60

_EVER: Final = datetime.min.replace(tzinfo=UTC)
_NEXT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Present:
    """The condition is there: to be reported, or reported as worse."""

    condition: Condition
    finding: Finding


@dataclass(frozen=True, slots=True)
class Gone:
    """The condition of an open alert is no longer there."""

    condition: Condition


Decision = Present | Gone


@dataclass(slots=True)
class _Reported:
    tier: Tier
    is_present: bool
    alert_id: str


class PatientWatch:
    """The last readings of one patient, and which of the conditions have an open alert.

    Args:
        rules: with the limits of this patient.
    """

    def __init__(self, rules: RuleBook, *, spo2_scale: int = 1) -> None:
        self._rules = rules
        self._chart = rules.new_chart(spo2_scale=spo2_scale)
        self._stands = {condition.name: _Stand(condition) for condition in rules.conditions}
        self._reported: dict[str, _Reported] = {}
        self._left: dict[str, Condition] = {}

    def prime(
        self, readings: Iterable[tuple[str, float, datetime, datetime]], *, ended: Mapping[str, datetime] | None = None
    ) -> None:
        """Remember what has been ruled on before, as if this watch had done it; raises nothing.

        Args:
            readings: type, value, when it was measured, and when it came. One that was too old when it came does not
                count now either.
            ended: when the last alert of a condition ended: for another only later readings count.
        """
        for vital_type, value, measured_at, received_at in readings:
            series = self._chart.series.get(vital_type)
            if series is not None and received_at - measured_at <= self._rules.oldest_reading:
                series.insert(_counted_at(measured_at, received_at, series), value)
                self._note_arrival(vital_type, received_at)
        for name, stand in self._stands.items():
            if ended is not None and name in ended:
                stand.count_after(ended[name], self._chart)
            else:
                stand.follow_again(self._chart)

    def observe(self, vital_type: str, value: float, measured_at: datetime, *, now: datetime) -> list[Decision]:
        """Take a reading in, in the order of its time of measurement, and say what is to be reported.

        A reading that is too old alarms nobody, and does not end an alarm either; one that is there
        already counts once. One of the future counts as measured when it came: otherwise it would stay the
        newest, and hide all that comes after it, until its time has come.
        """
        if now - measured_at > self._rules.oldest_reading:
            return []
        series = self._chart.series.get(vital_type)
        if series is None:
            return []
        measured_at = _counted_at(measured_at, now, series)
        insertion = series.insert(measured_at, value)
        if insertion is Insertion.PASSED_OVER:
            return []
        self._note_arrival(vital_type, now)
        view = View(self._chart, measured_at)
        is_newest = insertion is Insertion.NEWEST
        return self._decide(self._rules.by_input[vital_type], lambda stand: stand.take(view, is_newest=is_newest))

    def tick(self, now: datetime) -> list[Decision]:
        """Look at what begins as time passes, without any reading."""
        view = View(self._chart, now)
        return self._decide(self._rules.heeding_silence, lambda stand: stand.tick(view))

    def decide_again(self) -> list[Decision]:
        """What was decided, as far as nobody has said that it is done."""
        return self._decide(self._rules.conditions, lambda _stand: None)

    def adopt(self, rules: RuleBook, *, spo2_scale: int) -> list[Gone]:
        """Go on with other rules from the same readings; answers what is no longer watched for."""
        chart = rules.new_chart(spo2_scale=spo2_scale)
        chart.arrived = self._chart.arrived
        for vital_type, series in chart.series.items():
            if (kept := self._chart.series.get(vital_type)) is not None:
                for measured_at, value in zip(kept.times, kept.values, strict=True):
                    series.insert(measured_at, value)
        stands = {}
        for condition in rules.conditions:
            known = self._stands.get(condition.name)
            if known is not None and known.condition == condition and spo2_scale == self._chart.spo2_scale:
                # It may have begun before anything that is kept.
                stands[condition.name] = known
                continue
            stand = stands[condition.name] = _Stand(condition)
            if known is not None:
                stand.counts_after = known.counts_after
            stand.follow_again(chart)
        # What has gone already is said again until somebody says that it is done.
        watched = self._left | {name: stand.condition for name, stand in self._stands.items()}
        self._left = {name: watched[name] for name in self._reported if name in watched.keys() - stands.keys()}
        gone = [Gone(condition) for name, condition in self._left.items() if self._reported[name].is_present]
        self._rules, self._chart, self._stands = rules, chart, stands
        return gone

    def reported(self, condition: str, tier: Tier, *, is_present: bool = True, alert_id: str = "") -> None:
        """There is an open alert for this condition now."""
        self._reported[condition] = _Reported(tier, is_present, alert_id)

    def alert_of(self, condition: str) -> str:
        """The alert that was reported for this condition last; empty where there is none."""
        reported = self._reported.get(condition)
        return reported.alert_id if reported else ""

    def ended(self, condition: str, alert_id: str = "") -> None:
        """The alert of this condition has ended: for another only new readings count.

        News of an earlier alert, which come when another has been reported already, change nothing.
        """
        reported = self._reported.get(condition)
        if reported is None or reported.alert_id != alert_id:
            return
        del self._reported[condition]
        if (stand := self._stands.get(condition)) is not None:
            stand.count_anew(self._chart)

    def _note_arrival(self, vital_type: str, now: datetime) -> None:
        arrived = self._chart.arrived
        arrived[vital_type] = max(now, arrived.get(vital_type, now))

    def _decide(self, conditions: Iterable[Condition], stands: Callable[[_Stand], None]) -> list[Decision]:
        decisions: list[Decision] = []
        for condition in conditions:
            stand = self._stands[condition.name]
            stands(stand)
            if (decision := self._decision(stand)) is not None:
                decisions.append(decision)
        return decisions

    def _decision(self, stand: _Stand) -> Decision | None:
        reported = self._reported.get(stand.condition.name)
        tier = stand.tier()
        if tier is not None:
            is_news = reported is None or not reported.is_present or tier.is_worse_than(reported.tier)
            return Present(stand.condition, stand.finding(self._chart)) if is_news else None
        if reported is not None and reported.is_present and stand.is_gone():
            return Gone(stand.condition)
        return None


def _counted_at(measured_at: datetime, now: datetime, series: Series) -> datetime:
    """When a reading counts as measured: one of the future when it came, and after those before it."""
    if measured_at <= now:
        return measured_at
    return max(now, series.times[-1] + _NEXT) if series.times else now


class _Stand:
    """How far one condition of one patient has come, moment by moment.

    In order, a reading costs a step. One that was late costs following the chart from its beginning.
    """

    __slots__ = ("_at", "_awaits_reading", "_normal_samples", "_normal_since", "_runs", "condition", "counts_after")

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self.counts_after = _EVER
        self._awaits_reading = False
        self._begin()

    def take(self, view: View, *, is_newest: bool) -> None:
        """Look at the patient as of a reading that is on the chart now.

        Args:
            is_newest: whether it is the newest of its vital sign.
        """
        self._awaits_reading = False
        if is_newest and view.at >= self._at:
            self._step(view)
        else:
            self.follow_again(view.chart)

    def tick(self, view: View) -> None:
        """Look at the patient as of now, when nothing has come.

        That is no sample: what has been read is not looked at again, and nobody is better for it.
        """
        if self._awaits_reading or view.at <= self.counts_after:
            return
        for level, run in self._runs:
            criterion = level.criterion
            if not criterion.heeds_silence:
                continue
            if criterion.holds_in_silence(view):
                run.step(view.at, violates=True)
            elif not criterion.holds(view):
                run.step(view.at, violates=False)

    def follow_again(self, chart: Chart) -> None:
        """Look at every moment of the chart that counts, from the first one on."""
        self._begin()
        for at, _ in chart.readings(self.condition.inputs, after=self.counts_after):
            self._step(View(chart, at))

    def count_anew(self, chart: Chart) -> None:
        """From now on only readings count that are newer than every one on the chart."""
        newest = [series.times[-1] for it in self.condition.inputs if (series := chart.series[it]).times]
        self.counts_after = max([self.counts_after, *newest])
        self._awaits_reading = self.condition.heeds_silence
        self._begin()

    def count_after(self, moment: datetime, chart: Chart) -> None:
        """Only readings count that are newer than this, and silence only if something has come since."""
        self.counts_after = moment
        has_come = any(chart.arrived.get(it, moment) > moment for it in self.condition.inputs)
        self._awaits_reading = self.condition.heeds_silence and not has_come
        self.follow_again(chart)

    def tier(self) -> Tier | None:
        """The worst level that counts; none where nothing is wrong, or not for long enough."""
        return next((level.tier for level, run in self._runs if run.counts()), None)

    def finding(self, chart: Chart) -> Finding:
        """What is wrong, where something is: it takes longer than to know that it is."""
        level, run = next((level, run) for level, run in self._runs if run.counts())
        return self._found(level, run, View(chart, run.at or self._at))

    def is_gone(self) -> bool:
        """Whether the patient has been within every limit for long enough."""
        clearing = self.condition.clearing
        return self._normal_samples >= clearing.samples and self._at - self._normal_since >= clearing.duration

    def _step(self, view: View) -> None:
        at = self._at = view.at
        if at <= self.counts_after:
            return
        is_normal = True
        hysteresis = self.condition.clearing.hysteresis
        for level, run in self._runs:
            criterion = level.criterion
            violates = criterion.holds(view)
            excess = criterion.excess(view) if violates and level.timing.burden is not None else 0.0
            run.step(at, violates=violates, excess=excess)
            is_normal = is_normal and not violates and criterion.is_back(view, hysteresis)
        if not is_normal:
            self._normal_samples = 0
        else:
            if self._normal_samples == 0:
                self._normal_since = at
            self._normal_samples += 1

    def _begin(self) -> None:
        self._runs = [(level, Run(level.timing)) for level in self.condition.levels]
        self._normal_samples = 0
        self._normal_since = self._at = _EVER

    def _found(self, level: Level, run: Run, view: View) -> Finding:
        condition, criterion = self.condition, level.criterion
        if isinstance(criterion, NEWS2):
            window: tuple[float, ...] = (float(criterion.score(view).total),)
        else:
            shown = level.timing.samples if not level.timing.delay else run.count
            window = view.last_values(condition.vital_type, min(max(shown, 1), LONGEST_WINDOW))
        *others, last = criterion.describe(view)
        return Finding(
            tier=level.tier,
            reasons=(*others, last + run.how_it_counts()),
            vitals_window=window,
            unit=condition.unit or None,
            threshold=condition.thresholds.get(level.tier) or None,
        )
