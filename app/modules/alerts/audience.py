"""Who may see which event: cohorts of subscribers, by patient and by the roles that they listen in."""

from __future__ import annotations

from app.core.access import Scope
from app.core.roles import to_mask
from app.modules.alerts.cohort import Cohort
from app.modules.alerts.encoding import Wire
from app.modules.alerts.schemas import LogEntry

#: The mask of those who see events whoever they are addressed to.
_EVERY_AUDIENCE = -1

#: What the subscribers of a cohort have in common: patients (none: all of them), roles, and the wire.
_Key = tuple[frozenset[str] | None, int, Wire]


class AudienceIndex:
    """Finds the cohorts of an event without looking at any other."""

    def __init__(self) -> None:
        self._cohorts: dict[_Key, Cohort] = {}
        self._of_patient: dict[str, dict[_Key, Cohort]] = {}
        self._of_everyone: dict[_Key, Cohort] = {}

    def join(self, scope: Scope, wire: Wire) -> Cohort:
        """The cohort of one subscriber more, which leaves it with `leave`."""
        key = _key_of(scope, wire)
        cohort = self._cohorts.get(key)
        if cohort is None:
            cohort = self._cohorts[key] = Cohort(key[1], wire)
            for patient_id in scope.patient_ids or ():
                self._of_patient.setdefault(patient_id, {})[key] = cohort
            if scope.patient_ids is None:
                self._of_everyone[key] = cohort
        cohort.size += 1
        return cohort

    def leave(self, scope: Scope, wire: Wire) -> None:
        """Have one subscriber less with this scope and wire."""
        key = _key_of(scope, wire)
        cohort = self._cohorts[key]
        cohort.size -= 1
        if cohort.size:
            return
        del self._cohorts[key]
        self._of_everyone.pop(key, None)
        for patient_id in scope.patient_ids or ():
            cohorts = self._of_patient[patient_id]
            del cohorts[key]
            if not cohorts:
                del self._of_patient[patient_id]

    def of(self, entry: LogEntry) -> list[Cohort]:
        """Those who may see an event."""
        return [
            cohort
            for cohorts in (self._of_patient.get(entry.patient_id, {}), self._of_everyone)
            for cohort in cohorts.values()
            if cohort.mask == _EVERY_AUDIENCE or entry.audience & cohort.mask
        ]

    def __len__(self) -> int:
        """How many subscribers there are, and how many places that a patient has."""
        return sum(cohort.size for cohort in self._cohorts.values()) + len(self._of_patient)


def _key_of(scope: Scope, wire: Wire) -> _Key:
    mask = _EVERY_AUDIENCE if scope.sees_every_audience else to_mask(scope.roles)
    return scope.patient_ids, mask, wire
