"""Which alerts somebody reaches, and in which role they act on one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.core.access import Scope
from app.core.roles import in_order, to_mask
from app.core.security import Principal, RoleNotHeld
from app.modules.alerts.lifecycle import Actor, Alert
from app.modules.care_team.service import NotOnCareTeam


def is_visible(alert: Alert, scopes: Iterable[Scope]) -> bool:
    """Whether the alert was sent to anybody in these scopes."""
    audience = to_mask(alert.recipients)
    return any(scope.covers(alert.patient_id, audience) for scope in scopes)


def require_covered(scopes: Sequence[Scope], patient_id: str) -> None:
    """Refuse whoever has nothing to do with the patient.

    Raises:
        RoleNotHeld: they hold no role that receives alerts.
        NotOnCareTeam: the patient is none of theirs.
    """
    if not scopes:
        raise RoleNotHeld("this needs a role that receives alerts")
    if not any(scope.patient_ids is None or patient_id in scope.patient_ids for scope in scopes):
        raise NotOnCareTeam


def actor_of(caller: Principal, alert: Alert, scopes: Iterable[Scope]) -> Actor:
    """The caller in the role that they act in: the first that the alert was sent to, else as admin."""
    covering = [scope for scope in scopes if scope.covers(alert.patient_id, to_mask(alert.recipients))]
    addressed = [role for scope in covering for role in in_order(scope.roles & alert.recipients)]
    return Actor(caller.user_id, caller.name, addressed[0] if addressed else covering[0].role)
