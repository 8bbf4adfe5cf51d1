"""Signing in, staying in and signing out, as clients do it: real servers, browsers with cookies, open streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import anyio
import httpx
import jwt
import pytest
from pydantic import SecretStr

from app.core.roles import Role
from tests.servers import RunningServer, code_of, serving
from tests.sse import EventStream

pytestmark = pytest.mark.anyio

FORM, COOKIE = "/api/v1/login/access-token", "/api/v1/login/cookie"
REFRESH, LOGOUT, ME = "/api/v1/refresh-token", "/api/v1/logout", "/api/v1/users/me"
EMAIL, PASSWORD = "nurse@example.org", "correct horse battery"
LISTED = "https://ward.example.org"
FOREIGN = ("https://elsewhere.example.org", "https://ward.example.org.elsewhere.example.org", "null", "http://[", "")
KEY = "a key that only the tests know, and long enough for HS512 as well"


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server with an admin, and a nurse with a password on the care team of P1."""
    async with serving(tmp_path, allowed_origins=(LISTED,), secret_key=SecretStr(KEY)) as server:
        await server.user("admin", Role.ADMIN)
        await server.user("nurse", Role.NURSE, password=PASSWORD)
        await server.patient("P1", "nurse")
        yield server


# --- signing in -----------------------------------------------------------------------------------


async def test_a_form_sign_in_yields_a_pair_of_tokens_under_the_names_of_oauth(ward: RunningServer) -> None:
    response = await ward.http.post(FORM, data={"username": "Nurse@Example.org", "password": PASSWORD})

    pair = response.json()
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert set(pair) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (pair["token_type"], pair["expires_in"]) == ("bearer", 1800)
    assert "set-cookie" not in response.headers
    me = await ward.http.get(ME, headers=_bearer(pair))
    assert (me.status_code, me.json()["email"], me.json()["patientIds"]) == (200, EMAIL, ["P1"])


async def test_a_json_sign_in_sets_two_cookies_that_no_script_can_read(ward: RunningServer) -> None:
    async with _browser(ward) as browser:
        response = await browser.post(COOKIE, json={"email": EMAIL, "password": PASSWORD})
        me = await browser.get(ME)

    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert response.json() == me.json()
    cookies = _cookies_set_by(response)
    assert {name: _traits(cookie) for name, cookie in cookies.items()} == {
        "access_token": {"httponly": True, "samesite": "lax", "path": "/", "max-age": "1800", "secure": ""},
        "refresh_token": {
            "httponly": True, "samesite": "strict", "path": "/api/v1", "max-age": "1209600", "secure": "",
        },
    }  # fmt: skip
    assert not any(cookie.value in response.text for cookie in cookies.values())


async def test_cookies_are_secure_in_production_and_wherever_tls_ends_before_the_server(
    ward: RunningServer, tmp_path: Path
) -> None:
    """Fails when the sign-in leaves `secure` out (checked so)."""
    credentials = {"username": EMAIL, "password": PASSWORD}
    behind_tls = await ward.http.post(COOKIE, json=credentials, headers={"X-Forwarded-Proto": "https"})
    async with serving(tmp_path / "production", env="production", secret_key=SecretStr(KEY)) as production:
        await production.user("nurse", Role.NURSE, password=PASSWORD)
        in_production = await production.http.post(COOKIE, json=credentials)

    for response in (behind_tls, in_production):
        cookies = _cookies_set_by(response)
        assert set(cookies) == {"access_token", "refresh_token"}
        assert all(cookie["secure"] for cookie in cookies.values())


async def test_a_wrong_password_and_an_unknown_user_are_answered_alike_and_after_as_long(ward: RunningServer) -> None:
    """Fails when the password of an unknown user is not hashed (checked so): the answer then comes at once."""
    answers = []
    quickest: dict[str, float] = {}
    wrong_pairs = {EMAIL: "wrong", "nobody@example.org": PASSWORD, "admin@example.org": PASSWORD}
    for email, password in wrong_pairs.items():
        times = []
        for _ in range(2):
            started = time.perf_counter()
            answers.append(await ward.http.post(FORM, data={"username": email, "password": password}))
            times.append(time.perf_counter() - started)
        answers.append(await ward.http.post(COOKIE, json={"email": email, "password": password}))
        quickest[email] = min(times)

    assert code_of(answers[0]) == (401, "bad_credentials")
    assert "set-cookie" not in answers[0].headers
    assert all(_all_but_the_date(answer) == _all_but_the_date(answers[0]) for answer in answers)
    assert min(quickest.values()) > max(quickest.values()) / 4, quickest


async def test_what_cannot_be_read_is_refused_by_the_name_of_its_field(ward: RunningServer) -> None:
    cases: list[tuple[str, dict[str, Any], list[str]]] = [
        (COOKIE, {"email": EMAIL}, ["password"]),
        (COOKIE, {"email": EMAIL, "password": PASSWORD, "remember": True}, ["remember"]),
        (COOKIE, {"email": 5, "password": None}, ["email", "password"]),
        (REFRESH, {}, ["refreshToken"]),
        (REFRESH, {"refreshToken": "x", "token": "x"}, ["token"]),
        (LOGOUT, {"refreshToken": 1}, ["refreshToken"]),
        (FORM, {"username": EMAIL, "password": PASSWORD}, ["username", "password"]),
    ]
    for path, body, fields in cases:
        response = await ward.http.post(path, json=body)
        assert code_of(response) == (422, "validation_error"), body
        assert [error["field"] for error in response.json()["errors"]] == fields
        assert PASSWORD not in response.text


# --- staying in -----------------------------------------------------------------------------------


async def test_a_refresh_token_is_turned_into_a_new_pair_in_the_body_or_as_a_cookie(ward: RunningServer) -> None:
    first = await _sign_in(ward)
    second = (await ward.http.post(REFRESH, json={"refreshToken": first["refresh_token"]})).json()
    third = await ward.http.post(REFRESH, json={"refresh_token": second["refresh_token"]})
    assert len({pair["refresh_token"] for pair in (first, second, third.json())}) == 3
    assert (third.status_code, third.headers["cache-control"]) == (200, "no-store")
    assert (await ward.http.get(ME, headers=_bearer(third.json()))).status_code == 200

    async with _browser(ward) as browser:
        before = _cookies_set_by(await browser.post(COOKIE, json={"email": EMAIL, "password": PASSWORD}))
        refreshed = await browser.post(REFRESH, headers={"Origin": ward.url})
        after = _cookies_set_by(refreshed)
        assert (await browser.get(ME)).json() == refreshed.json()
    assert {name: _traits(cookie) for name, cookie in after.items()} == {
        name: _traits(cookie) for name, cookie in before.items()
    }
    assert all(after[name].value != before[name].value for name in before)


async def test_a_refresh_without_a_token_and_with_an_unknown_one_are_told_apart(ward: RunningServer) -> None:
    assert code_of(await ward.http.post(REFRESH)) == (401, "not_signed_in")
    assert code_of(await ward.http.post(REFRESH, json={"refreshToken": "x"})) == (401, "refresh_token_invalid")
    by_cookie = await ward.http.post(REFRESH, headers={"Cookie": "refresh_token=x", "Origin": ward.url})
    assert code_of(by_cookie) == (401, "refresh_token_invalid")


async def test_a_refresh_token_used_twice_ends_the_sign_in_with_its_open_streams_within_a_second(
    ward: RunningServer,
) -> None:
    """Fails when the reuse does not end the sign-in, and when it is not told to open streams (both checked so)."""
    stolen, other = await _sign_in(ward), await _sign_in(ward)
    refreshed = (await ward.http.post(REFRESH, json={"refreshToken": stolen["refresh_token"]})).json()
    async with (
        _stream(ward, refreshed) as of_the_stolen,
        _stream(ward, stolen) as of_the_first_token,
        _stream(ward, other) as of_another_sign_in,
    ):
        for stream in (of_the_stolen, of_the_first_token, of_another_sign_in):
            await stream.control("stream.ready")
        reused = await ward.http.post(REFRESH, json={"refreshToken": stolen["refresh_token"]})
        with anyio.fail_after(1):
            closings = [await stream.control("stream.closing") for stream in (of_the_stolen, of_the_first_token)]
        await ward.raise_alert("afterwards")
        await of_another_sign_in.alert("alert", condition="afterwards")
        assert of_the_stolen.alerts == []

    assert code_of(reused) == (401, "refresh_token_reused")
    assert [closing["reason"] for closing in closings] == ["access_changed"] * 2
    for pair in (stolen, refreshed):
        assert code_of(await ward.http.get(ME, headers=_bearer(pair))) == (401, "session_ended")
        again = await ward.http.post(REFRESH, json={"refreshToken": pair["refresh_token"]})
        assert code_of(again) == (401, "refresh_token_invalid")
    assert (await ward.http.get(ME, headers=_bearer(other))).status_code == 200


async def test_of_two_refreshes_that_race_one_wins_and_the_other_ends_them_both(ward: RunningServer) -> None:
    """Fails when `use` does not ask whether the token was used (checked so): then both win."""
    pair = await _sign_in(ward)
    both = await asyncio.gather(
        *(ward.http.post(REFRESH, json={"refreshToken": pair["refresh_token"]}) for _ in range(2))
    )
    won, lost = sorted(both, key=lambda response: response.status_code)

    assert won.status_code == 200
    assert code_of(lost) == (401, "refresh_token_reused")
    assert code_of(await ward.http.get(ME, headers=_bearer(won.json()))) == (401, "session_ended")


# --- signing out ----------------------------------------------------------------------------------


async def test_signing_out_ends_the_sign_in_and_its_stream_and_no_other(ward: RunningServer) -> None:
    """Fails when the end of a sign-in is not told to open streams (checked so)."""
    other = await _sign_in(ward)
    for by in ("header", "cookie", "refresh cookie alone", "refresh token in the body"):
        pair = await _sign_in(ward)
        carrying: dict[str, dict[str, Any]] = {
            "header": {"headers": _bearer(pair)},
            "cookie": {"headers": {"Cookie": f"access_token={pair['access_token']}", "Origin": LISTED}},
            "refresh cookie alone": {
                "headers": {"Cookie": f"refresh_token={pair['refresh_token']}", "Origin": ward.url}
            },
            "refresh token in the body": {"json": {"refreshToken": pair["refresh_token"]}},
        }
        async with _stream(ward, pair) as stream:
            await stream.control("stream.ready")
            left = await ward.http.post(LOGOUT, **carrying[by])
            with anyio.fail_after(1):
                closing = await stream.control("stream.closing")

        assert (left.status_code, left.content, closing["reason"]) == (204, b"", "access_changed"), by
        assert {name: (cookie["path"], cookie["max-age"]) for name, cookie in _cookies_set_by(left).items()} == {
            "access_token": ("/", "0"),
            "refresh_token": ("/api/v1", "0"),
        }
        assert code_of(await ward.http.get(ME, headers=_bearer(pair))) == (401, "session_ended")
        refused = await ward.http.post(REFRESH, json={"refreshToken": pair["refresh_token"]})
        assert code_of(refused) == (401, "refresh_token_invalid")
    assert (await ward.http.get(ME, headers=_bearer(other))).status_code == 200


async def test_a_browser_that_has_signed_out_keeps_no_cookie(ward: RunningServer) -> None:
    """Fails when a cookie is taken back under another path than it was set for (checked so)."""
    async with _browser(ward) as browser:
        await browser.post(COOKIE, json={"email": EMAIL, "password": PASSWORD})
        assert len(browser.cookies) == 2
        await browser.post(LOGOUT, headers={"Origin": ward.url})
        assert len(browser.cookies) == 0
        assert code_of(await browser.get(ME)) == (401, "not_signed_in")
        assert code_of(await browser.post(LOGOUT)) == (401, "not_signed_in")


# --- where a cookie may come from -----------------------------------------------------------------


async def test_a_cookie_writes_only_from_an_allowed_origin(ward: RunningServer) -> None:
    """Fails when `presented_token` does not ask for the origin (checked so)."""
    admin_id = (await ward.call("GET", ME, "admin")).json()["id"]
    cookie = {"Cookie": f"access_token={ward.tokens['admin']}"}
    writes = [
        ("POST", "/api/v1/users", {"email": "made@example.org", "roles": ["nurse"]}),
        ("PATCH", f"/api/v1/users/{admin_id}", {"name": "Changed"}),
        ("POST", "/api/v1/patients", {"id": "P2"}),
        ("PUT", f"/api/v1/patients/P1/care-team/{admin_id}", None),
        ("DELETE", f"/api/v1/patients/P1/care-team/{admin_id}", None),
        ("POST", "/api/v1/alerts", {"patientId": "P1", "vitalType": "pulse", "tier": "slight", "reasons": ["r"]}),
        ("POST", LOGOUT, None),
    ]
    for method, path, body in writes:
        for origin in (None, *FOREIGN):
            headers = cookie | ({} if origin is None else {"Origin": origin})
            refused = await ward.http.request(method, path, json=body, headers=headers)
            assert code_of(refused) == (403, "origin_not_allowed"), (method, path, origin)
        headers = {"Origin": "https://elsewhere.example.org"} | ward.bearer("admin")
        statuses = [
            (await ward.http.request(method, path, json=body, headers=allowed)).status_code
            for allowed in (cookie | {"Origin": LISTED}, cookie | {"Origin": ward.url}, headers)
        ]
        # The first of them does it; what it has done may be in the way of the others.
        assert statuses[0] in {200, 201, 204}, (method, path)
        assert set(statuses) <= {200, 201, 204, 409}, (method, path)


async def test_a_cookie_reads_from_anywhere(ward: RunningServer) -> None:
    cookie = {"Cookie": f"access_token={ward.tokens['nurse']}"}
    for origin in (None, *FOREIGN):
        headers = cookie | ({} if origin is None else {"Origin": origin})
        assert (await ward.http.get(ME, headers=headers)).status_code == 200


async def test_no_foreign_page_signs_its_visitors_in_on_or_out(ward: RunningServer) -> None:
    """Fails when the sign-in, or the refresh, does not ask for the origin (both checked so)."""
    pair = await _sign_in(ward)
    cookie = {"Cookie": f"refresh_token={pair['refresh_token']}"}
    for origin in FOREIGN:
        signed_in = await ward.http.post(
            COOKIE, json={"email": EMAIL, "password": PASSWORD}, headers={"Origin": origin}
        )
        assert code_of(signed_in) == (403, "origin_not_allowed")
        assert "set-cookie" not in signed_in.headers
        for path in (REFRESH, LOGOUT):
            refused = await ward.http.post(path, headers=cookie | {"Origin": origin})
            assert code_of(refused) == (403, "origin_not_allowed")
    for path in (REFRESH, LOGOUT):
        assert code_of(await ward.http.post(path, headers=cookie)) == (403, "origin_not_allowed")
    # None of this has used the refresh token up.
    assert (await ward.http.post(REFRESH, headers=cookie | {"Origin": LISTED})).status_code == 200


# --- tokens that do not hold ----------------------------------------------------------------------


async def test_a_token_that_this_installation_has_not_signed_opens_nothing(ward: RunningServer) -> None:
    """Fails when `read` checks neither signature nor issuer, each by itself (both checked so).

    The first one does hold, so that the others fail for nothing but what is wrong with them.
    """
    me = (await ward.call("GET", ME, "nurse")).json()
    right = {"iss": "tocsin", "sub": me["id"], "exp": datetime.now(UTC) + timedelta(hours=1)}
    assert (await ward.http.get(ME, headers=_bearer(_signed(right)))).json() == me
    forged = {
        "alg none": _signed(right, "", algorithm="none"),
        "another key": _signed(right, KEY[::-1]),
        "wrong issuer": _signed(right | {"iss": "somebody"}),
        "no issuer": _signed({name: value for name, value in right.items() if name != "iss"}),
        "another algorithm": _signed(right, algorithm="HS512"),
        "nobody": _signed(right | {"sub": "nobody"}),
        "without end": _signed({name: value for name, value in right.items() if name != "exp"}),
        "a refresh token": {"access_token": (await _sign_in(ward))["refresh_token"]},
    }
    for trick, pair in forged.items():
        by_header = await ward.http.get(ME, headers=_bearer(pair))
        by_cookie = await ward.http.get(ME, headers={"Cookie": f"access_token={pair['access_token']}"})
        for refused in (by_header, by_cookie):
            assert code_of(refused) == (401, "not_signed_in"), trick
            assert refused.headers["www-authenticate"] == "Bearer"


async def test_an_expired_token_is_told_apart_and_a_refresh_mends_it(ward: RunningServer) -> None:
    pair = await _sign_in(ward)
    me = (await ward.http.get(ME, headers=_bearer(pair))).json()
    expired = _signed({"iss": "tocsin", "sub": me["id"], "exp": datetime.now(UTC) - timedelta(seconds=1)})

    refused = await ward.http.get(ME, headers=_bearer(expired))
    refreshed = await ward.http.post(REFRESH, json={"refreshToken": pair["refresh_token"]}, headers=_bearer(expired))

    assert code_of(refused) == (401, "token_expired")
    assert (await ward.http.get(ME, headers=_bearer(refreshed.json()))).json() == me


async def test_a_disabled_account_is_out_whichever_way_it_comes(ward: RunningServer) -> None:
    pair = await _sign_in(ward)
    nurse = (await ward.call("GET", ME, "nurse")).json()["id"]
    await ward.call("PATCH", f"/api/v1/users/{nurse}", "admin", {"disabled": True})
    credentials = {"email": EMAIL, "password": PASSWORD}

    assert code_of(await ward.call("GET", ME, "nurse")) == (401, "account_disabled")
    assert code_of(await ward.http.get(ME, headers=_bearer(pair))) == (401, "account_disabled")
    assert code_of(await ward.http.post(COOKIE, json=credentials)) == (401, "account_disabled")
    unknowing = await ward.http.post(COOKIE, json=credentials | {"password": "wrong"})
    assert code_of(unknowing) == (401, "bad_credentials")
    stale = await ward.http.post(REFRESH, json={"refreshToken": pair["refresh_token"]})
    assert code_of(stale) == (401, "refresh_token_invalid")

    await ward.call("PATCH", f"/api/v1/users/{nurse}", "admin", {"disabled": False})
    assert (await ward.http.post(COOKIE, json=credentials)).status_code == 200
    assert code_of(await ward.http.get(ME, headers=_bearer(pair))) == (401, "session_ended")


# --- what the tests above lean on -----------------------------------------------------------------


async def _sign_in(server: RunningServer) -> dict[str, Any]:
    """A new pair of tokens of the nurse."""
    response = await server.http.post(FORM, data={"username": EMAIL, "password": PASSWORD})
    assert response.status_code == 200, response.text
    pair: dict[str, Any] = response.json()
    return pair


def _signed(claims: dict[str, Any], key: str = KEY, *, algorithm: str = "HS256") -> dict[str, Any]:
    return {"access_token": jwt.encode(claims, key, algorithm=algorithm)}


def _bearer(pair: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {pair['access_token']}"}


def _browser(server: RunningServer) -> httpx.AsyncClient:
    """A client that keeps cookies of its own, as a browser does."""
    return httpx.AsyncClient(base_url=server.url)


@asynccontextmanager
async def _stream(server: RunningServer, pair: dict[str, Any]) -> AsyncIterator[EventStream]:
    """The nurse's stream of P1, opened with this token."""
    params = {"role": "nurse", "patient_id": "P1"}
    async with EventStream.open(server.http, "/api/v1/alerts/stream", params=params, headers=_bearer(pair)) as stream:
        yield stream


def _cookies_set_by(response: httpx.Response) -> dict[str, Morsel[str]]:
    cookies: SimpleCookie = SimpleCookie()
    for header in response.headers.get_list("set-cookie"):
        cookies.load(header)
    return dict(cookies)


def _traits(cookie: Morsel[str]) -> dict[str, object]:
    return {name: cookie[name] for name in ("httponly", "samesite", "path", "max-age", "secure")}


def _all_but_the_date(response: httpx.Response) -> tuple[int, str, dict[str, str]]:
    return response.status_code, response.text, {k: v for k, v in response.headers.items() if k != "date"}
