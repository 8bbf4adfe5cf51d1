"""PURE: one patient's heart: beats given out once and in order, the rate, the signal's quality, asystole."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from typing import Final

from app.modules.vitals.ecg.examination import (
    ASYSTOLE_SECONDS,
    BESIDE_SECONDS,
    FRESHEST_SECONDS,
    JUDGED_SECONDS,
    REFRACTORY_SECONDS,
    SHORTEST_SECONDS,
    Examination,
    Reason,
    examine,
)
from app.modules.vitals.ecg.proof import BELIEVED_SECONDS, proves_a_heart
from app.modules.vitals.ecg.rate import HeartRate
from app.modules.vitals.ecg.timeline import WINDOW_SECONDS, Timeline
from app.modules.vitals.samples import Samples

#: Leads kept of one patient; more add memory, and no beat.
MOST_LEADS: Final = 4

#: Slower signals show no QRS complex.
LOWEST_RATE_HZ: Final = 100.0

#: A lead that has sent nothing for so long, while others have, is gone.
GONE_SECONDS: Final = 2.0

#: Beats after which a heart is taken to beat, or to beat again: one alone may be a knock on the bed.
BEATS_AFTER_ASYSTOLE: Final = 3

#: The size of so many beats of a lead is remembered.
BEATS_REMEMBERED: Final = 16

#: After so long without a beat, smaller ones are looked for as well: the electrode may have been moved.
RELEARN_SECONDS: Final = 30.0


class State(StrEnum):
    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Quality:
    """Whether a lead can be relied on, and if not, why."""

    lead: str | None
    state: State
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Second:
    """What is known of the heart at the end of a second of signal.

    Attributes:
        at: the end of that second by the device's clock, in seconds of the epoch.
        beats: when the beats were that were not given out before, in order.
        heart_rate: per minute; none while there is nothing to rely on.
        is_asystole: whether the heart stands still; none while it was seen neither to beat nor to stop.
    """

    at: float
    beats: tuple[float, ...]
    heart_rate: float | None
    quality: Quality
    is_asystole: bool | None


@dataclass(slots=True, eq=False)
class _Lead:
    """One lead, and how large its newest beats were."""

    name: str | None
    row: int
    line: Timeline
    steps: deque[float]
    beaten_at: float | None = None
    is_good: bool = False
    good_since: float = -inf
    good_until: float = -inf
    proven_line: int | None = None

    @property
    def is_proven(self) -> bool:
        """Whether its beats, since its line began, were seen to be a heart's."""
        return self.proven_line == self.line.number

    def is_proven_by(self, seen: Examination, samples: int) -> bool:
        """Whether this good second proves it, or is the last of so many that it is believed all the same."""
        at = self.line.second_at
        if not 0 <= at - self.good_until <= WINDOW_SECONDS:
            self.good_since = at
        self.good_until = at
        return at - self.good_since >= BELIEVED_SECONDS or proves_a_heart(seen, samples, self.line.rate_hz)

    @property
    def usual_step(self) -> float | None:
        """What a quarter of the newest beats are smaller than, so that a few great ones hide no small ones."""
        if self.beaten_at is None:
            return None
        return sorted(self.steps)[len(self.steps) // 4] if self.steps else 0.0


@dataclass(slots=True)
class _LastBeat:
    """Where an RR interval begins."""

    lead: _Lead
    line_number: int
    index: int


class Heart:
    """Follows one patient's ECG, by one lead at a time: the first good one."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str | None, ...], Timeline] = {}
        self._leads: list[_Lead] = []
        self._followed: _Lead | None = None
        self._rate = HeartRate()
        self._last_beat: _LastBeat | None = None
        self._looked_at = -inf
        self._beaten_at = -inf
        self._relied_from = -inf
        self._is_asystole: bool | None = None
        self._beats_since = 0

    def take(
        self,
        leads: tuple[str | None, ...],
        sample_rate_hz: float,
        started_at: float,
        samples: Samples,
        *,
        millivolts: float = 1.0,
        heard_at: float | None = None,
    ) -> None:
        """Take a frame; little is done before `look`.

        Args:
            started_at: by the device's clock, in seconds of the epoch.
            heard_at: when it came, by any clock of ours; with the time that it shows, where it is left out.
            millivolts: what one of the samples' units is.
        """
        heard_at = started_at if heard_at is None else heard_at
        line = self._lines.get(leads)
        if line is None or not line.is_like(sample_rate_hz, millivolts):
            line = self._new_line(leads, sample_rate_hz, started_at, millivolts, heard_at)
        if line is not None:
            line.heard_at = heard_at
            line.add(started_at, samples)

    @property
    def leads(self) -> list[str | None]:
        """The leads that are kept."""
        return [lead.name for lead in self._leads]

    @property
    def due_at(self) -> float:
        """From when on, by the device's clock, it is worth looking."""
        return self._followed.line.due_at if self._followed else -inf

    def look(self) -> Second | None:
        """What is known now; none where no second has become complete since."""
        for line in self._lines.values():
            line.advance()
        followed = self._choose()
        if followed is None or not followed.line.is_due:
            return None
        if followed.line.second_at < self._looked_at - GONE_SECONDS:
            self._forget_times()
        found = self._examine(followed)
        if found is not None and (found.reason or found.is_silent):
            followed, found = self._better_than(followed, found)
        self._followed = followed
        at = self._looked_at = followed.line.second_at
        if found is None or found.reason:
            # What led up to it is as doubtful: the rate begins anew with what is good.
            self._rate, self._last_beat = HeartRate(), None
            if found:
                # Where only proof is missing, the next second may bring it for all that it is judged by.
                kept = JUDGED_SECONDS - 1.0 if followed.is_good else FRESHEST_SECONDS
                self._relied_from = max(self._relied_from, at - kept)
            quality = (
                Quality(followed.name, State.BAD, found.reason) if found else Quality(followed.name, State.UNKNOWN)
            )
            return Second(at, (), None, quality, self._is_asystole)
        beats = tuple(self._give_out(followed, found))
        self._rule_on_asystole(len(beats), is_silent=found.is_silent)
        is_beating = self._is_asystole is False and at - self._beaten_at <= ASYSTOLE_SECONDS
        rate = self._rate.at(at) if is_beating else None
        return Second(at, beats, rate, Quality(followed.name, State.GOOD), self._is_asystole)

    def _new_line(
        self,
        leads: tuple[str | None, ...],
        sample_rate_hz: float,
        started_at: float,
        millivolts: float,
        heard_at: float,
    ) -> Timeline | None:
        """A line for leads not seen before, or that changed their rate; none where there is no room for them."""
        gone = [key for key, line in self._lines.items() if line.heard_at < heard_at - GONE_SECONDS]
        for key in {leads, *gone} & self._lines.keys():
            line = self._lines.pop(key)
            self._leads = [lead for lead in self._leads if lead.line is not line]
        room = MOST_LEADS - len(self._leads)
        if not room or sample_rate_hz < LOWEST_RATE_HZ:
            return None
        line = Timeline(sample_rate_hz, min(room, len(leads)), started_at, millivolts=millivolts)
        self._lines[leads] = line
        self._leads += [_Lead(name, row, line, deque(maxlen=BEATS_REMEMBERED)) for row, name in enumerate(leads[:room])]
        return line

    def _choose(self) -> _Lead | None:
        """The lead that is followed while it still sends; else the first that does."""
        newest = max((line.heard_at for line in self._lines.values()), default=0.0)
        sending = [lead for lead in self._leads if lead.line.heard_at >= newest - GONE_SECONDS]
        if self._followed in sending:
            return self._followed
        return sending[0] if sending else None

    def _examine(self, lead: _Lead, *, needs_proof: bool = True) -> Examination | None:
        """What the lead shows; none while there is too little of it.

        Args:
            needs_proof: whether it is noise until it has proven that its beats are a heart's.
        """
        window, is_drawn = lead.line.window()
        if window.shape[1] < SHORTEST_SECONDS * lead.line.rate_hz:
            return None
        seen = examine(window[lead.row], is_drawn, lead.line.rate_hz, usual_step=lead.usual_step, was_good=lead.is_good)
        lead.is_good = seen.reason is None
        if seen.reason or seen.is_silent or lead.is_proven:
            lead.good_until = -inf
        elif needs_proof and not lead.is_proven_by(seen, window.shape[1]):
            # It may be a heart all the same: should it stop, that is no lead that never showed a beat.
            lead.beaten_at = lead.line.second_at
            return replace(seen, reason=Reason.NOISE)
        else:
            lead.proven_line = lead.line.number
        return seen

    def _better_than(self, followed: _Lead, found: Examination) -> tuple[_Lead, Examination]:
        """The first other lead on which the heart is seen to beat, if there is one."""
        # Where artefact may be all that was ever seen, it may be on each lead. A heart that stands still must not
        # be told because another lead, on which it beats, is new.
        needs_proof = not (followed.is_proven or found.is_silent)
        for other in self._leads:
            if other is not followed and other.line.heard_at >= followed.line.heard_at - GONE_SECONDS:
                seen = self._examine(other, needs_proof=needs_proof)
                if seen is not None and not seen.reason and not seen.is_silent:
                    return other, seen
        return followed, found

    def _give_out(self, lead: _Lead, found: Examination) -> Iterator[float]:
        """The times of beats not given out before, and each of their intervals to the rate."""
        line = lead.line
        _, is_drawn = line.window()
        begins = line.window_end - len(is_drawn)
        freshest = len(is_drawn) - FRESHEST_SECONDS * line.rate_hz
        beside = round(BESIDE_SECONDS * line.rate_hz)
        if self._looked_at - self._beaten_at > RELEARN_SECONDS:
            lead.steps.clear()
        for position, step in zip(found.beats.tolist(), found.steps.tolist(), strict=True):
            at = line.time_of(begins + position)
            is_new = at > max(self._beaten_at + REFRACTORY_SECONDS, self._relied_from) and position <= freshest
            if not is_new or is_drawn[position - beside : position + beside].any():
                continue
            last = self._last_beat
            is_seamless = last and last.lead is lead and last.line_number == line.number and last.index >= begins
            if last and is_seamless and not is_drawn[last.index - begins : position].any():
                self._rate.add(at, (begins + position - last.index) / line.rate_hz)
            self._last_beat = _LastBeat(lead, line.number, begins + position)
            self._beaten_at = lead.beaten_at = at
            lead.steps.append(step)
            yield at

    def _rule_on_asystole(self, beats: int, *, is_silent: bool) -> None:
        if is_silent:
            self._is_asystole, self._beats_since = True, 0
        elif self._is_asystole is not False:
            self._beats_since += beats
            if self._beats_since >= BEATS_AFTER_ASYSTOLE:
                self._is_asystole = False

    def _forget_times(self) -> None:
        """The device's clock was put back: what is remembered lies in the future."""
        self._rate = HeartRate()
        self._last_beat = None
        self._beaten_at = self._relied_from = -inf
