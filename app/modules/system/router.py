"""The state of the system by HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from app.core.errors import problem_responses
from app.core.roles import Role
from app.core.security import Caller, NotSignedIn, RoleNotHeld, TokenExpired, require_role
from app.core.services import service
from app.modules.system.schemas import System
from app.modules.system.service import SystemService

router = APIRouter(prefix="/api/v1/system", tags=["operations"])


@router.get(
    "",
    summary="How this node and the whole installation are doing (admin)",
    description="`version`, `startedAt`, `checks` and `connections` are of the node that answers; `escalations`, "
    "`openAlerts` and `devices` of the whole database, and so of all nodes.",
    responses=problem_responses(NotSignedIn, TokenExpired, RoleNotHeld),
)
async def look(caller: Caller, system: Annotated[SystemService, service(SystemService)]) -> System:
    require_role(caller, Role.ADMIN)
    return await system.look()
