"""The rules in force by HTTP, and having them read again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from app.core.errors import AppError, problem_responses
from app.core.roles import Role
from app.core.security import Caller, NotSignedIn, OriginNotAllowed, RoleNotHeld, TokenExpired, require_role
from app.core.services import service
from app.core.wire import WireModel
from app.modules.alerts.rules.active import ActiveRules
from app.modules.alerts.rules.file import RulesFileError, json_schema

router = APIRouter(prefix="/api/v1/rules", tags=["rules"])

Rules = Annotated[ActiveRules, service(ActiveRules)]


class RulesRefused(AppError):
    """The file has mistakes; the rules that were in force still are."""

    status, code = 422, "rules_refused"

    def __init__(self, error: RulesFileError) -> None:
        mistakes = [{"line": it.line, "field": it.place, "message": it.advice} for it in error.mistakes]
        super().__init__(f"the rules stay as they were: {error}", extra={"errors": mistakes})


class RulesInForce(WireModel):
    """Which rules this node judges by."""

    source: str = Field(description="The file, or `default`.")
    digest: str = Field(description="Names the text of the file, so that nodes can be compared.")
    loaded_at: datetime
    conditions: list[str]

    @classmethod
    def of(cls, rules: ActiveRules) -> RulesInForce:
        return cls(
            source=rules.source,
            digest=rules.digest,
            loaded_at=rules.loaded_at,
            conditions=[condition.name for condition in rules.book.conditions],
        )


class RulesReloaded(RulesInForce):
    """What came of reading them again."""

    changed: bool


@router.get(
    "", summary="The rules in force (admin)", responses=problem_responses(NotSignedIn, TokenExpired, RoleNotHeld)
)
async def in_force(caller: Caller, rules: Rules) -> RulesInForce:
    require_role(caller, Role.ADMIN)
    return RulesInForce.of(rules)


@router.get(
    "/schema", summary="The JSON Schema of a rules file", responses=problem_responses(NotSignedIn, TokenExpired)
)
async def schema(caller: Caller) -> dict[str, Any]:
    return json_schema()


@router.post(
    "/reload",
    summary="Read the rules file again: all of it holds from now on, or nothing changes (admin)",
    responses=problem_responses(NotSignedIn, TokenExpired, OriginNotAllowed, RoleNotHeld, RulesRefused),
)
async def reload(caller: Caller, rules: Rules) -> RulesReloaded:
    require_role(caller, Role.ADMIN)
    try:
        is_changed = rules.reload()
    except RulesFileError as error:
        raise RulesRefused(error) from None
    return RulesReloaded(changed=is_changed, **RulesInForce.of(rules).model_dump())
