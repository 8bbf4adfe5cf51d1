"""Who may see which event: subscribers by patient and by the roles that they listen in."""

from __future__ import annotations

from collections.abc import Iterator

from app.modules.alerts.encoding import Wire
from app.modules.alerts.schemas import LogEntry
from app.modules.alerts.subscription import EVERY_AUDIENCE, Subscription

#: Subscribers that see the same audiences and get the same bytes.
_Group = tuple[int, Wire]

#: In the order in which they came, which is about the order in which they, and what the kernel keeps for
#: their sockets, lie in memory: delivery in any other order costs a third more.
_Members = dict[Subscription, None]
_Groups = dict[_Group, _Members]


class AudienceIndex:
    """Finds the subscribers of an event without looking at any other."""

    def __init__(self) -> None:
        self._of_patient: dict[str, _Groups] = {}
        self._of_everyone: _Groups = {}

    def add(self, subscription: Subscription) -> None:
        for groups in self._places_of(subscription):
            groups.setdefault(_group_of(subscription), {})[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """Take a subscription out of everywhere that its scope has put it."""
        group = _group_of(subscription)
        for groups in self._places_of(subscription):
            subscriptions = groups.get(group, {})
            subscriptions.pop(subscription, None)
            if not subscriptions:
                groups.pop(group, None)
        for patient_id in subscription.scope.patient_ids or ():
            if not self._of_patient[patient_id]:
                del self._of_patient[patient_id]

    def of(self, entry: LogEntry) -> dict[Wire, list[Subscription]]:
        """Who may see an event, by the wire that they read it over."""
        audience: dict[Wire, list[Subscription]] = {}
        for groups in (self._of_patient.get(entry.patient_id, {}), self._of_everyone):
            for (mask, wire), subscriptions in groups.items():
                if mask == EVERY_AUDIENCE or entry.audience & mask:
                    audience.setdefault(wire, []).extend(subscriptions)
        return audience

    def __len__(self) -> int:
        """How many places hold a subscription."""
        groups = (self._of_everyone, *self._of_patient.values())
        return sum(len(subscriptions) for found in groups for subscriptions in found.values())

    def _places_of(self, subscription: Subscription) -> Iterator[_Groups]:
        patient_ids = subscription.scope.patient_ids
        if patient_ids is None:
            yield self._of_everyone
        else:
            for patient_id in patient_ids:
                yield self._of_patient.setdefault(patient_id, {})


def _group_of(subscription: Subscription) -> _Group:
    return subscription.mask, subscription.wire
