"""Accounts by HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.core.bodies import JSONRoute
from app.core.errors import InvalidField, problem_responses
from app.core.roles import Role
from app.core.security import Caller, NotSignedIn, OriginNotAllowed, RoleNotHeld, TokenExpired, require_role
from app.core.services import service
from app.core.wire import Id, Text
from app.modules.auth.service import AuthService
from app.modules.care_team.service import CareTeamService
from app.modules.users.errors import EmailTaken, LastAdmin, UnknownUser
from app.modules.users.schemas import Me, NewUser, User, UserChanges, UserPage, UserPatients
from app.modules.users.service import UserService

router = APIRouter(prefix="/api/v1/users", tags=["users"], route_class=JSONRoute)

Users = Annotated[UserService, service(UserService)]


@router.get("/me", summary="Who am I, and whom do I care for?", responses=problem_responses(NotSignedIn, TokenExpired))
async def me(caller: Caller, care_team: Annotated[CareTeamService, service(CareTeamService)]) -> Me:
    return Me.of(caller, await care_team.patients_of(caller.user_id))


@router.get(
    "",
    summary="The accounts, by e-mail address (admin)",
    responses=problem_responses(NotSignedIn, TokenExpired, RoleNotHeld, InvalidField),
)
async def list_users(
    caller: Caller,
    users: Users,
    q: Annotated[Text, Query(max_length=200, description="A part of the address or the name, in any case.")] = "",
    cursor: Annotated[Id | None, Query(description="The `nextCursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> UserPage:
    require_role(caller, Role.ADMIN)
    return await users.page(holding=q, after=cursor, limit=limit)


@router.get(
    "/{user_id}/patients",
    summary="The patients on whose care team an account stands, by id (admin)",
    responses=problem_responses(NotSignedIn, TokenExpired, RoleNotHeld, UnknownUser),
)
async def patients_of(
    caller: Caller, user_id: Id, users: Users, care_team: Annotated[CareTeamService, service(CareTeamService)]
) -> UserPatients:
    require_role(caller, Role.ADMIN)
    user = await users.get(user_id)
    return UserPatients(user=user, patient_ids=sorted(await care_team.patients_of(user_id)))


@router.post(
    "",
    summary="Make an account (admin)",
    status_code=201,
    responses=problem_responses(NotSignedIn, TokenExpired, OriginNotAllowed, RoleNotHeld, EmailTaken),
)
async def create(caller: Caller, body: NewUser, users: Users) -> User:
    require_role(caller, Role.ADMIN)
    return await users.create(body.email, body.name, body.roles, body.password)


@router.patch(
    "/{user_id}",
    summary="Change an account (admin)",
    description="A new password, or disabling the account, ends every sign-in of the user.",
    responses=problem_responses(NotSignedIn, TokenExpired, OriginNotAllowed, RoleNotHeld, UnknownUser, LastAdmin),
)
async def update(
    caller: Caller, user_id: Id, body: UserChanges, users: Users, auth: Annotated[AuthService, service(AuthService)]
) -> User:
    require_role(caller, Role.ADMIN)
    user = await users.update(user_id, body)
    if body.password is not None or body.disabled:
        await auth.sign_out_everywhere(user_id)
    return user
