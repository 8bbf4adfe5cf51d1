"""Signing in, staying in and signing out, as clients do it: real servers, browsers with cookies, open streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from pydantic import SecretStr

from app.core.roles import Role
from tests.modules.auth.nurse import COOKIE, EMAIL, FORM, KEY, LISTED, LOGOUT, ME, PASSWORD, REFRESH, bearer, sign_in
from tests.servers import RunningServer, code_of, serving
from tests.sse import EventStream

pytestmark = pytest.mark.anyio


# --- signing in -----------------------------------------------------------------------------------


async def test_a_form_sign_in_yields_a_pair_of_tokens_under_the_names_of_oauth(server: RunningServer) -> None:
    response = await server.http.post(FORM, data={"username": "Nurse@Example.org", "password": PASSWORD})

    pair = response.json()
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert set(pair) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (pair["token_type"], pair["expires_in"]) == ("bearer", 1800)
    assert "set-cookie" not in response.headers
    me = await server.http.get(ME, headers=bearer(pair))
    assert (me.status_code, me.json()["email"], me.json()["patientIds"]) == (200, EMAIL, ["P1"])


async def test_a_json_sign_in_sets_two_cookies_that_no_script_can_read(server: RunningServer) -> None:
    async with _browser(server) as browser:
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
    server: RunningServer, tmp_path: Path
) -> None:
    """Fails when the sign-in leaves `secure` out (checked so)."""
    credentials = {"username": EMAIL, "password": PASSWORD}
    behind_tls = await server.http.post(COOKIE, json=credentials, headers={"X-Forwarded-Proto": "https"})
    async with serving(tmp_path / "production", env="production", secret_key=SecretStr(KEY)) as production:
        await production.user("nurse", Role.NURSE, password=PASSWORD)
        in_production = await production.http.post(COOKIE, json=credentials)

    for response in (behind_tls, in_production):
        cookies = _cookies_set_by(response)
        assert set(cookies) == {"access_token", "refresh_token"}
        assert all(cookie["secure"] for cookie in cookies.values())


async def test_a_wrong_password_and_an_unknown_user_are_answered_alike_and_after_as_long(server: RunningServer) -> None:
    """Fails when the password of an unknown user is not hashed (checked so): the answer then comes at once."""
    answers = []
    quickest: dict[str, float] = {}
    wrong_pairs = {EMAIL: "wrong", "nobody@example.org": PASSWORD, "admin@example.org": PASSWORD}
    for email, password in wrong_pairs.items():
        times = []
        for _ in range(2):
            started = time.perf_counter()
            answers.append(await server.http.post(FORM, data={"username": email, "password": password}))
            times.append(time.perf_counter() - started)
        answers.append(await server.http.post(COOKIE, json={"email": email, "password": password}))
        quickest[email] = min(times)

    assert code_of(answers[0]) == (401, "bad_credentials")
    assert "set-cookie" not in answers[0].headers
    assert all(_all_but_the_date(answer) == _all_but_the_date(answers[0]) for answer in answers)
    assert min(quickest.values()) > max(quickest.values()) / 4, quickest


async def test_what_cannot_be_read_is_refused_by_the_name_of_its_field(server: RunningServer) -> None:
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
        response = await server.http.post(path, json=body)
        assert code_of(response) == (422, "validation_error"), body
        assert [error["field"] for error in response.json()["errors"]] == fields
        assert PASSWORD not in response.text


# --- staying in -----------------------------------------------------------------------------------


async def test_a_refresh_token_is_turned_into_a_new_pair_in_the_body_or_as_a_cookie(server: RunningServer) -> None:
    first = await sign_in(server)
    second = (await server.http.post(REFRESH, json={"refreshToken": first["refresh_token"]})).json()
    third = await server.http.post(REFRESH, json={"refresh_token": second["refresh_token"]})
    assert len({pair["refresh_token"] for pair in (first, second, third.json())}) == 3
    assert (third.status_code, third.headers["cache-control"]) == (200, "no-store")
    assert (await server.http.get(ME, headers=bearer(third.json()))).status_code == 200

    async with _browser(server) as browser:
        before = _cookies_set_by(await browser.post(COOKIE, json={"email": EMAIL, "password": PASSWORD}))
        refreshed = await browser.post(REFRESH, headers={"Origin": server.url})
        after = _cookies_set_by(refreshed)
        assert (await browser.get(ME)).json() == refreshed.json()
    assert {name: _traits(cookie) for name, cookie in after.items()} == {
        name: _traits(cookie) for name, cookie in before.items()
    }
    assert all(after[name].value != before[name].value for name in before)


async def test_a_refresh_without_a_token_and_with_an_unknown_one_are_told_apart(server: RunningServer) -> None:
    assert code_of(await server.http.post(REFRESH)) == (401, "not_signed_in")
    assert code_of(await server.http.post(REFRESH, json={"refreshToken": "x"})) == (401, "refresh_token_invalid")
    by_cookie = await server.http.post(REFRESH, headers={"Cookie": "refresh_token=x", "Origin": server.url})
    assert code_of(by_cookie) == (401, "refresh_token_invalid")


async def test_a_refresh_token_used_twice_ends_the_sign_in_with_its_open_streams_within_a_second(
    server: RunningServer,
) -> None:
    """Fails when the reuse does not end the sign-in, and when it is not told to open streams (both checked so)."""
    stolen, other = await sign_in(server), await sign_in(server)
    refreshed = (await server.http.post(REFRESH, json={"refreshToken": stolen["refresh_token"]})).json()
    async with (
        _stream(server, refreshed) as of_the_stolen,
        _stream(server, stolen) as of_the_first_token,
        _stream(server, other) as of_another_sign_in,
    ):
        for stream in (of_the_stolen, of_the_first_token, of_another_sign_in):
            await stream.control("stream.ready")
        reused = await server.http.post(REFRESH, json={"refreshToken": stolen["refresh_token"]})
        with anyio.fail_after(1):
            closings = [await stream.control("stream.closing") for stream in (of_the_stolen, of_the_first_token)]
        await server.raise_alert("afterwards")
        await of_another_sign_in.alert("alert", condition="afterwards")
        assert of_the_stolen.alerts == []

    assert code_of(reused) == (401, "refresh_token_reused")
    assert [closing["reason"] for closing in closings] == ["access_changed"] * 2
    for pair in (stolen, refreshed):
        assert code_of(await server.http.get(ME, headers=bearer(pair))) == (401, "session_ended")
        again = await server.http.post(REFRESH, json={"refreshToken": pair["refresh_token"]})
        assert code_of(again) == (401, "refresh_token_invalid")
    assert (await server.http.get(ME, headers=bearer(other))).status_code == 200


async def test_of_two_refreshes_that_race_one_wins_and_the_other_ends_them_both(server: RunningServer) -> None:
    """Fails when `use` does not ask whether the token was used (checked so): then both win."""
    pair = await sign_in(server)
    both = await asyncio.gather(
        *(server.http.post(REFRESH, json={"refreshToken": pair["refresh_token"]}) for _ in range(2))
    )
    won, lost = sorted(both, key=lambda response: response.status_code)

    assert won.status_code == 200
    assert code_of(lost) == (401, "refresh_token_reused")
    assert code_of(await server.http.get(ME, headers=bearer(won.json()))) == (401, "session_ended")


# --- signing out ----------------------------------------------------------------------------------


async def test_signing_out_ends_the_sign_in_and_its_stream_and_no_other(server: RunningServer) -> None:
    """Fails when the end of a sign-in is not told to open streams (checked so)."""
    other = await sign_in(server)
    for by in ("header", "cookie", "refresh cookie alone", "refresh token in the body"):
        pair = await sign_in(server)
        carrying: dict[str, dict[str, Any]] = {
            "header": {"headers": bearer(pair)},
            "cookie": {"headers": {"Cookie": f"access_token={pair['access_token']}", "Origin": LISTED}},
            "refresh cookie alone": {
                "headers": {"Cookie": f"refresh_token={pair['refresh_token']}", "Origin": server.url}
            },
            "refresh token in the body": {"json": {"refreshToken": pair["refresh_token"]}},
        }
        async with _stream(server, pair) as stream:
            await stream.control("stream.ready")
            left = await server.http.post(LOGOUT, **carrying[by])
            with anyio.fail_after(1):
                closing = await stream.control("stream.closing")

        assert (left.status_code, left.content, closing["reason"]) == (204, b"", "access_changed"), by
        assert {name: (cookie["path"], cookie["max-age"]) for name, cookie in _cookies_set_by(left).items()} == {
            "access_token": ("/", "0"),
            "refresh_token": ("/api/v1", "0"),
        }
        assert code_of(await server.http.get(ME, headers=bearer(pair))) == (401, "session_ended")
        refused = await server.http.post(REFRESH, json={"refreshToken": pair["refresh_token"]})
        assert code_of(refused) == (401, "refresh_token_invalid")
    assert (await server.http.get(ME, headers=bearer(other))).status_code == 200


async def test_a_browser_that_has_signed_out_keeps_no_cookie(server: RunningServer) -> None:
    """Fails when a cookie is taken back under another path than it was set for (checked so)."""
    async with _browser(server) as browser:
        await browser.post(COOKIE, json={"email": EMAIL, "password": PASSWORD})
        assert len(browser.cookies) == 2
        await browser.post(LOGOUT, headers={"Origin": server.url})
        assert len(browser.cookies) == 0
        assert code_of(await browser.get(ME)) == (401, "not_signed_in")
        assert code_of(await browser.post(LOGOUT)) == (401, "not_signed_in")


# --- what the tests above lean on -----------------------------------------------------------------


def _browser(server: RunningServer) -> httpx.AsyncClient:
    """A client that keeps cookies of its own, as a browser does."""
    return httpx.AsyncClient(base_url=server.url)


@asynccontextmanager
async def _stream(server: RunningServer, pair: dict[str, Any]) -> AsyncIterator[EventStream]:
    """The nurse's stream of P1, opened with this token."""
    params = {"role": "nurse", "patient_id": "P1"}
    async with EventStream.open(server.http, "/api/v1/alerts/stream", params=params, headers=bearer(pair)) as stream:
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
