from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest
import sqlalchemy as sa

from app.core.errors import AppError
from app.core.roles import Role
from app.core.security import NotSignedIn, TokenExpired
from app.modules.auth.errors import (
    AccountDisabled,
    BadCredentials,
    RefreshTokenInvalid,
    RefreshTokenReused,
    SessionEnded,
)
from app.modules.auth.models import RefreshToken
from app.modules.auth.schemas import SignIn
from app.modules.users.schemas import UserChanges
from app.modules.users.service import UnknownUser
from tests.databases import statements
from tests.modules.ward import Ward

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


@pytest.fixture
async def signed_in(ward: Ward) -> SignIn:
    """Ada, a nurse, signed in with her password."""
    await ward.user("ada", Role.NURSE, password=PASSWORD)
    return await ward.auth.sign_in("Ada@example.org", PASSWORD)


async def test_a_sign_in_yields_a_token_of_the_account(ward: Ward, signed_in: SignIn) -> None:
    principal = await ward.auth.authenticate(signed_in.access_token)

    assert principal == signed_in.principal
    assert (principal.email, principal.name) == ("ada@example.org", "ada")
    assert principal.roles == {Role.NURSE}
    assert signed_in.expires_in_seconds == ward.settings.access_token_seconds
    assert principal.expires_at == ward.clock.now() + timedelta(seconds=signed_in.expires_in_seconds)
    assert ward.metrics.registry.get_sample_value("tocsin_sign_ins_total", {"result": "accepted"}) == 1


async def test_a_sign_in_is_shown_without_its_tokens(signed_in: SignIn) -> None:
    assert signed_in.access_token not in repr(signed_in)
    assert signed_in.refresh_token not in repr(signed_in)


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.org", "wrong"),
        ("ada@example.org", ""),
        ("nobody@example.org", PASSWORD),
        ("device@example.org", ""),
    ],
)
async def test_every_wrong_pair_gets_the_same_answer(ward: Ward, email: str, password: str) -> None:
    await ward.user("ada", Role.NURSE, password=PASSWORD)
    await ward.user("device", Role.DEVICE)

    with pytest.raises(BadCredentials) as refused:
        await ward.auth.sign_in(email, password)

    assert (refused.value.status, refused.value.code) == (401, "bad_credentials")
    assert refused.value.detail == BadCredentials().detail
    assert ward.metrics.registry.get_sample_value("tocsin_sign_ins_total", {"result": "refused"}) == 1


async def test_a_disabled_account_is_told_to_who_knows_its_password_alone(ward: Ward, signed_in: SignIn) -> None:
    await ward.users.update(signed_in.principal.user_id, UserChanges(disabled=True))

    with pytest.raises(AccountDisabled):
        await ward.auth.sign_in("ada@example.org", PASSWORD)
    with pytest.raises(BadCredentials):
        await ward.auth.sign_in("ada@example.org", "wrong")


async def test_a_disabled_account_is_out_in_every_way_and_back_when_enabled(ward: Ward, signed_in: SignIn) -> None:
    user_id = signed_in.principal.user_id
    await ward.users.update(user_id, UserChanges(disabled=True))

    with pytest.raises(AccountDisabled) as refused:
        await ward.auth.authenticate(signed_in.access_token)
    assert (refused.value.status, refused.value.code) == (401, "account_disabled")
    with pytest.raises(AccountDisabled):
        await ward.auth.renew(signed_in.principal)
    with pytest.raises(AccountDisabled):
        await ward.auth.refresh(signed_in.refresh_token)
    with pytest.raises(AccountDisabled):
        await ward.auth.token_for("ada@example.org", timedelta(hours=1))

    await ward.users.update(user_id, UserChanges(disabled=False))
    renewed = await ward.auth.renew(signed_in.principal)
    assert replace(renewed, access_version=0) == signed_in.principal
    await ward.auth.refresh(signed_in.refresh_token)


async def test_a_token_holds_until_its_time_is_over(ward: Ward, signed_in: SignIn) -> None:
    ward.clock.advance(timedelta(seconds=signed_in.expires_in_seconds - 1))
    await ward.auth.authenticate(signed_in.access_token)
    await ward.auth.renew(signed_in.principal)

    ward.clock.advance(timedelta(seconds=1))
    with pytest.raises(TokenExpired):
        await ward.auth.authenticate(signed_in.access_token)
    with pytest.raises(TokenExpired):
        await ward.auth.renew(signed_in.principal)


async def test_a_token_of_an_account_that_is_not_here_does_not_hold(ward: Ward) -> None:
    token = ward.signer.sign("nobody", now=ward.clock.now(), lifetime=timedelta(hours=1))

    with pytest.raises(NotSignedIn) as refused:
        await ward.auth.authenticate(token)

    assert type(refused.value) is NotSignedIn


async def test_a_token_does_not_hold_by_the_sign_in_of_somebody_else(ward: Ward, signed_in: SignIn) -> None:
    other = await ward.user("other", Role.ADMIN)
    token = ward.signer.sign(
        other.id, now=ward.clock.now(), lifetime=timedelta(hours=1), session_id=signed_in.principal.session_id
    )

    with pytest.raises(SessionEnded):
        await ward.auth.authenticate(token)


async def test_renewing_brings_the_roles_that_are_held_now(ward: Ward, signed_in: SignIn) -> None:
    user_id = signed_in.principal.user_id
    await ward.users.update(user_id, UserChanges(roles=[Role.DOCTOR]))
    await ward.patients.create("P1", None, user_id)

    renewed = await ward.auth.renew(signed_in.principal)

    assert renewed.roles == {Role.DOCTOR, Role.HOSPITAL, Role.PATIENT}
    assert renewed.own_patient_id == "P1"
    assert renewed.expires_at == signed_in.principal.expires_at


@pytest.mark.parametrize(
    ("granted", "has_record", "in_force"),
    [
        ((), False, set()),
        ((), True, {Role.PATIENT}),
        ((Role.PATIENT,), False, set()),
        ((Role.PATIENT,), True, {Role.PATIENT}),
        ((Role.NURSE, Role.PATIENT), False, {Role.NURSE}),
        ((Role.DOCTOR,), False, {Role.DOCTOR, Role.HOSPITAL}),
        ((Role.ADMIN,), False, {Role.ADMIN, Role.HOSPITAL}),
        ((Role.DEVICE,), False, {Role.DEVICE}),
    ],
)
async def test_patient_and_hospital_follow_from_what_the_account_is(
    ward: Ward, granted: tuple[Role, ...], has_record: bool, in_force: set[Role]
) -> None:
    user = await ward.user("ada", *granted)
    if has_record:
        await ward.patients.create("P1", None, user.id)

    assert (await ward.principal("ada")).roles == in_force


async def test_a_refresh_token_yields_a_new_pair_of_the_same_sign_in(ward: Ward, signed_in: SignIn) -> None:
    ward.clock.advance(timedelta(hours=2))
    refreshed = await ward.auth.refresh(signed_in.refresh_token)

    principal = await ward.auth.authenticate(refreshed.access_token)
    assert principal.session_id == signed_in.principal.session_id
    assert refreshed.refresh_token != signed_in.refresh_token
    await ward.auth.refresh(refreshed.refresh_token)


async def test_a_refresh_token_is_stored_as_its_hash_alone(ward: Ward, signed_in: SignIn) -> None:
    async with ward.db.read() as session:
        stored = (await session.scalars(sa.select(RefreshToken.token_hash))).all()

    assert len(stored) == 1
    assert signed_in.refresh_token not in stored[0]


async def test_a_refresh_token_used_twice_ends_the_sign_in_that_it_came_from(ward: Ward, signed_in: SignIn) -> None:
    other = await ward.auth.sign_in("ada@example.org", PASSWORD)
    refreshed = await ward.auth.refresh(signed_in.refresh_token)

    with pytest.raises(RefreshTokenReused) as refused:
        await ward.auth.refresh(signed_in.refresh_token)

    assert (refused.value.status, refused.value.code) == (401, "refresh_token_reused")
    assert (await ward.changes_of(signed_in.principal.user_id), ward.announced) == (1, 1)
    for token in (signed_in.refresh_token, refreshed.refresh_token):
        with pytest.raises(RefreshTokenInvalid):
            await ward.auth.refresh(token)
    with pytest.raises(SessionEnded):
        await ward.auth.authenticate(refreshed.access_token)
    with pytest.raises(SessionEnded):
        await ward.auth.renew(refreshed.principal)
    await ward.auth.authenticate(other.access_token)


async def test_of_refreshes_that_race_exactly_one_wins(ward: Ward, signed_in: SignIn) -> None:
    outcomes: list[str] = []

    async def refresh() -> None:
        try:
            await ward.auth.refresh(signed_in.refresh_token)
            outcomes.append("won")
        except AppError as error:
            outcomes.append(error.code)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(refresh)

    assert outcomes.count("won") == 1
    assert "refresh_token_reused" in outcomes
    assert set(outcomes) <= {"won", "refresh_token_reused", "refresh_token_invalid"}
    assert await ward.changes_of(signed_in.principal.user_id) == outcomes.count("refresh_token_reused")


@pytest.mark.parametrize("token", ["", "nonsense", "\x00", "å"])
async def test_an_unknown_refresh_token_is_invalid(ward: Ward, signed_in: SignIn, token: str) -> None:
    with pytest.raises(RefreshTokenInvalid):
        await ward.auth.refresh(token)


async def test_an_expired_refresh_token_is_invalid_used_or_not(ward: Ward, signed_in: SignIn) -> None:
    refreshed = await ward.auth.refresh(signed_in.refresh_token)
    ward.clock.advance(timedelta(seconds=ward.settings.refresh_token_seconds))

    for token in (signed_in.refresh_token, refreshed.refresh_token):
        with pytest.raises(RefreshTokenInvalid):
            await ward.auth.refresh(token)


async def test_signing_in_clears_away_the_expired_tokens_of_the_user(ward: Ward, signed_in: SignIn) -> None:
    await ward.auth.refresh(signed_in.refresh_token)
    ward.clock.advance(timedelta(seconds=ward.settings.refresh_token_seconds))

    await ward.auth.sign_in("ada@example.org", PASSWORD)

    async with ward.db.read() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(RefreshToken)) == 1


async def test_signing_out_ends_the_sign_in_and_no_other(ward: Ward, signed_in: SignIn) -> None:
    other = await ward.auth.sign_in("ada@example.org", PASSWORD)

    await ward.auth.sign_out(signed_in.principal)

    assert (await ward.changes_of(signed_in.principal.user_id), ward.announced) == (1, 1)
    with pytest.raises(SessionEnded) as refused:
        await ward.auth.authenticate(signed_in.access_token)
    assert refused.value.status == 401
    with pytest.raises(RefreshTokenInvalid):
        await ward.auth.refresh(signed_in.refresh_token)
    await ward.auth.authenticate(other.access_token)


async def test_signing_out_with_a_refresh_token_is_harmless_to_repeat(ward: Ward, signed_in: SignIn) -> None:
    for _ in range(2):
        await ward.auth.sign_out_with(signed_in.refresh_token)
    await ward.auth.sign_out_with("nonsense")

    assert await ward.changes_of(signed_in.principal.user_id) == 1
    with pytest.raises(SessionEnded):
        await ward.auth.authenticate(signed_in.access_token)


async def test_signing_out_everywhere_ends_every_sign_in_of_the_user(ward: Ward, signed_in: SignIn) -> None:
    await ward.user("eve", Role.NURSE, password=PASSWORD)
    others = await ward.auth.sign_in("eve@example.org", PASSWORD)
    second = await ward.auth.sign_in("ada@example.org", PASSWORD)

    await ward.auth.sign_out_everywhere(signed_in.principal.user_id)

    for ended in (signed_in, second):
        with pytest.raises(SessionEnded):
            await ward.auth.authenticate(ended.access_token)
    await ward.auth.authenticate(others.access_token)


async def test_an_operators_token_has_no_sign_in_and_outlives_signing_out(ward: Ward) -> None:
    await ward.user("monitor", Role.DEVICE)
    token = await ward.auth.token_for("Monitor@example.org", timedelta(days=30))

    principal = await ward.auth.authenticate(token)
    assert principal.session_id is None
    assert principal.expires_at == ward.clock.now() + timedelta(days=30)

    await ward.auth.sign_out(principal)
    assert await ward.auth.authenticate(token) == principal


async def test_a_token_for_an_unknown_user_is_not_made(ward: Ward) -> None:
    with pytest.raises(UnknownUser):
        await ward.auth.token_for("nobody@example.org", timedelta(hours=1))


async def test_an_account_that_is_known_costs_no_query_however_many_come_at_once(ward: Ward, signed_in: SignIn) -> None:
    """Two looks at whether something has changed are all. Fails when each reads for itself (checked so)."""
    await ward.auth.authenticate(signed_in.access_token)
    with statements() as asked:
        await asyncio.gather(*(ward.auth.authenticate(signed_in.access_token) for _ in range(500)))
    assert len(asked) <= 2, asked
    with statements() as asked:
        await ward.auth.authenticate(signed_in.access_token)
    assert len(asked) == 1, asked


async def test_an_account_that_is_not_known_is_read_once_however_many_come_at_once(
    ward: Ward, signed_in: SignIn
) -> None:
    with statements() as asked:
        await asyncio.gather(*(ward.auth.authenticate(signed_in.access_token) for _ in range(500)))
    assert len(asked) <= 4, asked


async def test_a_sign_in_that_is_refused_leaves_its_account_as_it_is(ward: Ward, signed_in: SignIn) -> None:
    """Each sign-in is remembered by itself: the end of one is not the end of another."""
    second = await ward.auth.sign_in("ada@example.org", PASSWORD)
    for _ in range(2):
        await ward.auth.authenticate(signed_in.access_token)
        await ward.auth.authenticate(second.access_token)
    await ward.auth.sign_out(second.principal)
    for _ in range(2):
        await ward.auth.authenticate(signed_in.access_token)
        with pytest.raises(SessionEnded):
            await ward.auth.authenticate(second.access_token)
