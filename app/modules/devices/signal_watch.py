"""PURE: when a bad signal is worth an alert: not at once, and not beside a lead that is off."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

#: For so long a signal must be bad before somebody is told, and good before that ends.
BAD_FOR: Final = timedelta(seconds=10)
GOOD_FOR: Final = timedelta(seconds=5)


#: The reason of a signal in which a heart may stand still that this process has never seen to beat.
NO_BEATS: Final = "no_beats"


class SignalWatch:
    """Follows the quality of one patient's ECG, as it is judged on the lead that is used at the time.

    Attributes:
        is_alarmed: whether it is bad enough for an alert; none while too little is known.
        lead: the lead that was judged last.
        reason: why the signal is bad; none while it is not.
        leads_off: those that are off; none stands for the only one, or for all.
    """

    def __init__(self) -> None:
        self.is_alarmed: bool | None = None
        self.lead: str | None = None
        self.reason: str | None = None
        self.leads_off: set[str | None] = set()
        self._state = "unknown"
        self._since: datetime | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether time alone can change something."""
        is_bad = self._state == "bad"
        return not self._is_off() and (is_bad or self._state == "good") and self.is_alarmed is not is_bad

    def is_reliable(self, now: datetime) -> bool:
        """Whether the signal has been good for long enough."""
        return self._state == "good" and self._since is not None and now - self._since >= GOOD_FOR

    def judged(self, lead: str | None, state: str, reason: str | None, now: datetime) -> bool:
        """Take note of a lead's quality: `good`, `bad` or `unknown`; true when there is something new to be told."""
        may_be_still = reason == NO_BEATS and self.reason != NO_BEATS
        if state != self._state:
            self._state, self._since = state, now
        self.lead = lead
        self.reason = reason if state == "bad" else None
        return self.look(now) or (may_be_still and self.is_alarmed is True)

    def lead_off(self, lead: str | None, *, is_off: bool, now: datetime) -> bool:
        """Take note that a lead is off or on again; true when `is_alarmed` is another now."""
        if is_off:
            self.leads_off.add(lead)
        elif lead in self.leads_off or self.is_alarmed:
            self.leads_off.discard(lead)
            # What was bad while it was off says nothing about it now.
            self.is_alarmed, self._since = None, now
        return self.look(now)

    def look(self, now: datetime) -> bool:
        """Whether `is_alarmed` is another at this time, because the signal was bad or good for long enough."""
        before = self.is_alarmed
        if self._is_off():
            # Somebody is told already of what is the reason for it.
            self.is_alarmed = False
        elif self._since is not None:
            lasted = now - self._since
            if self._state == "bad" and lasted >= BAD_FOR:
                self.is_alarmed = True
            elif self._state == "good" and lasted >= GOOD_FOR:
                self.is_alarmed = False
        return self.is_alarmed is not before

    def _is_off(self) -> bool:
        return None in self.leads_off or self.lead in self.leads_off
