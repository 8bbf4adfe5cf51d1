"""Tokens that do not hold, and accounts that do not any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from tests.modules.auth.nurse import COOKIE, EMAIL, KEY, ME, PASSWORD, REFRESH, bearer, sign_in
from tests.servers import RunningServer, code_of

pytestmark = pytest.mark.anyio


async def test_a_token_that_this_installation_has_not_signed_opens_nothing(server: RunningServer) -> None:
    """Fails when `read` checks neither signature nor issuer, each by itself (both checked so).

    The first one does hold, so that the others fail for nothing but what is wrong with them.
    """
    me = (await server.call("GET", ME, "nurse")).json()
    right = {"iss": "tocsin", "sub": me["id"], "exp": datetime.now(UTC) + timedelta(hours=1)}
    assert (await server.http.get(ME, headers=bearer(_signed(right)))).json() == me
    forged = {
        "alg none": _signed(right, "", algorithm="none"),
        "another key": _signed(right, KEY[::-1]),
        "wrong issuer": _signed(right | {"iss": "somebody"}),
        "no issuer": _signed({name: value for name, value in right.items() if name != "iss"}),
        "another algorithm": _signed(right, algorithm="HS512"),
        "nobody": _signed(right | {"sub": "nobody"}),
        "without end": _signed({name: value for name, value in right.items() if name != "exp"}),
        "a refresh token": {"access_token": (await sign_in(server))["refresh_token"]},
    }
    for trick, pair in forged.items():
        by_header = await server.http.get(ME, headers=bearer(pair))
        by_cookie = await server.http.get(ME, headers={"Cookie": f"access_token={pair['access_token']}"})
        for refused in (by_header, by_cookie):
            assert code_of(refused) == (401, "not_signed_in"), trick
            assert refused.headers["www-authenticate"] == "Bearer"


async def test_an_expired_token_is_told_apart_and_a_refresh_mends_it(server: RunningServer) -> None:
    pair = await sign_in(server)
    me = (await server.http.get(ME, headers=bearer(pair))).json()
    expired = _signed({"iss": "tocsin", "sub": me["id"], "exp": datetime.now(UTC) - timedelta(seconds=1)})

    refused = await server.http.get(ME, headers=bearer(expired))
    refreshed = await server.http.post(REFRESH, json={"refreshToken": pair["refresh_token"]}, headers=bearer(expired))

    assert code_of(refused) == (401, "token_expired")
    assert (await server.http.get(ME, headers=bearer(refreshed.json()))).json() == me


async def test_a_disabled_account_is_out_whichever_way_it_comes(server: RunningServer) -> None:
    pair = await sign_in(server)
    nurse = (await server.call("GET", ME, "nurse")).json()["id"]
    await server.call("PATCH", f"/api/v1/users/{nurse}", "admin", {"disabled": True})
    credentials = {"email": EMAIL, "password": PASSWORD}

    assert code_of(await server.call("GET", ME, "nurse")) == (401, "account_disabled")
    assert code_of(await server.http.get(ME, headers=bearer(pair))) == (401, "account_disabled")
    assert code_of(await server.http.post(COOKIE, json=credentials)) == (401, "account_disabled")
    unknowing = await server.http.post(COOKIE, json=credentials | {"password": "wrong"})
    assert code_of(unknowing) == (401, "bad_credentials")
    stale = await server.http.post(REFRESH, json={"refreshToken": pair["refresh_token"]})
    assert code_of(stale) == (401, "refresh_token_invalid")

    await server.call("PATCH", f"/api/v1/users/{nurse}", "admin", {"disabled": False})
    assert (await server.http.post(COOKIE, json=credentials)).status_code == 200
    assert code_of(await server.http.get(ME, headers=bearer(pair))) == (401, "session_ended")


def _signed(claims: dict[str, Any], key: str = KEY, *, algorithm: str = "HS256") -> dict[str, Any]:
    return {"access_token": jwt.encode(claims, key, algorithm=algorithm)}
