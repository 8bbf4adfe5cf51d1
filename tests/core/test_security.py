from __future__ import annotations

import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import jwt
import pytest
from starlette.requests import HTTPConnection

from app.core.config import Settings
from app.core.roles import Role
from app.core.security import (
    NotSignedIn,
    OriginNotAllowed,
    Principal,
    RoleNotHeld,
    TokenExpired,
    TokenSigner,
    offered_subprotocol,
    presented_token,
    require_allowed_origin,
    require_role,
    secret_key,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = "a key that only the tests know, 32+"
SETTINGS = Settings(allowed_origins=("https://ward.example.org",))


def test_a_token_says_whose_it_is_and_until_when() -> None:
    signer = TokenSigner(KEY)

    claims = signer.read(signer.sign("u1", now=NOW, lifetime=HOUR, session_id="s1"), now=NOW)

    assert (claims.user_id, claims.session_id, claims.expires_at) == ("u1", "s1", NOW + HOUR)
    assert signer.read(signer.sign("u1", now=NOW, lifetime=HOUR), now=NOW).session_id is None


def test_two_tokens_of_the_same_moment_differ() -> None:
    signer = TokenSigner(KEY)

    assert signer.sign("u1", now=NOW, lifetime=HOUR) != signer.sign("u1", now=NOW, lifetime=HOUR)


def test_a_token_holds_up_to_its_last_second() -> None:
    signer = TokenSigner(KEY)
    token = signer.sign("u1", now=NOW, lifetime=HOUR)

    signer.read(token, now=NOW + HOUR - timedelta(seconds=1))
    with pytest.raises(TokenExpired):
        signer.read(token, now=NOW + HOUR)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "a.b.c",
        TokenSigner("another key that is also 32 characters").sign("u1", now=NOW, lifetime=HOUR),
        jwt.encode({"iss": "tocsin", "sub": "u1", "exp": 4e9}, "", algorithm="none"),
        jwt.encode({"iss": "somebody", "sub": "u1", "exp": 4e9}, KEY, algorithm="HS256"),
        jwt.encode({"iss": "tocsin", "exp": 4e9}, KEY, algorithm="HS256"),
        jwt.encode({"iss": "tocsin", "sub": "u1"}, KEY, algorithm="HS256"),
        jwt.encode({"iss": "tocsin", "sub": 1, "exp": 4e9}, KEY, algorithm="HS256"),
        jwt.encode({"iss": "tocsin", "sub": "u1", "exp": "soon"}, KEY, algorithm="HS256"),
        jwt.encode({"iss": "tocsin", "sub": "u1", "exp": 10**30}, KEY, algorithm="HS256"),
    ],
    ids=["empty", "word", "dots", "key", "unsigned", "issuer", "nobody", "endless", "number", "soon", "too far"],
)
def test_what_this_installation_has_not_signed_does_not_hold(token: str) -> None:
    with pytest.raises(NotSignedIn) as refused:
        TokenSigner(KEY).read(token, now=NOW)

    assert refused.value.code == "not_signed_in"
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}


def test_the_key_that_is_set_is_used_and_none_is_made(tmp_path: Path) -> None:
    assert secret_key(Settings.model_validate({"secret_key": KEY, "data_dir": tmp_path})) == KEY
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")

    key = secret_key(settings)

    assert len(key) >= 32
    assert secret_key(settings) == key
    assert [path.name for path in settings.data_dir.iterdir()] == ["secret.key"]
    if sys.platform != "win32":
        assert stat.S_IMODE((settings.data_dir / "secret.key").stat().st_mode) == 0o600


def test_those_who_start_together_get_the_same_key(tmp_path: Path) -> None:
    barrier = Barrier(8)

    def start(settings: Settings) -> str:
        barrier.wait(10)
        return secret_key(settings)

    with ThreadPoolExecutor(8) as pool:
        for attempt in range(20):
            settings = Settings(data_dir=tmp_path / str(attempt))
            keys = set(pool.map(start, [settings] * 8))
            assert len(keys) == 1
            assert keys != {""}


def connection(kind: str = "http", method: str = "GET", query: str = "", **headers: str) -> HTTPConnection:
    """A connection as the server hands it over, to ward.local:8000."""
    sent = {"host": "ward.local:8000", **headers}
    scope: dict[str, Any] = {
        "type": kind,
        "path": "/",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }
    if kind == "http":
        scope["method"] = method
    else:
        scope["subprotocols"] = [part.strip() for part in headers.get("sec_websocket_protocol", "").split(",") if part]
    return HTTPConnection(scope)


OWN = "http://ward.local:8000"
LISTED = "https://ward.example.org"
FOREIGN = "https://elsewhere.example.org"


@pytest.mark.parametrize(
    ("carried_by", "allow_query", "token"),
    [
        (connection(authorization="Bearer t1"), False, "t1"),
        (connection(authorization="bearer  t1 "), False, "t1"),
        (connection(authorization="Bearer t1", cookie="access_token=t2"), False, "t1"),
        (connection(method="POST", authorization="Bearer t1", origin=FOREIGN), False, "t1"),
        (connection(cookie="access_token=t2"), False, "t2"),
        (connection(cookie="access_token=t2", origin=FOREIGN), False, "t2"),
        (connection(method="POST", cookie="access_token=t2", origin=OWN), False, "t2"),
        (connection(method="DELETE", cookie="access_token=t2", origin=LISTED), False, "t2"),
        (connection("websocket", cookie="access_token=t2", origin=OWN), False, "t2"),
        (connection("websocket", sec_websocket_protocol="bearer, t3"), False, "t3"),
        (connection("websocket", query="token=t4"), True, "t4"),
        (connection("websocket", query="token=t4", cookie="access_token=t2", origin=FOREIGN), True, "t4"),
    ],
)
def test_a_token_is_found_wherever_it_may_be(carried_by: HTTPConnection, allow_query: bool, token: str) -> None:
    assert presented_token(carried_by, SETTINGS, allow_query=allow_query) == token


@pytest.mark.parametrize(
    "carried_by",
    [
        connection(),
        connection(authorization="Bearer "),
        connection(authorization="Basic dTpw"),
        connection(cookie="other=t"),
        connection(query="token=t4"),
        connection("websocket", sec_websocket_protocol="bearer"),
        connection("websocket", sec_websocket_protocol="chat, t3"),
    ],
)
def test_a_connection_without_a_token_is_not_signed_in(carried_by: HTTPConnection) -> None:
    with pytest.raises(NotSignedIn):
        presented_token(carried_by, SETTINGS)


@pytest.mark.parametrize("origin", [None, FOREIGN, "null", "", "https://ward.example.org.elsewhere.example.org"])
@pytest.mark.parametrize(("kind", "method"), [("http", "POST"), ("http", "PATCH"), ("websocket", "GET")])
def test_a_cookie_from_elsewhere_neither_writes_nor_opens_a_socket(kind: str, method: str, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}

    with pytest.raises(OriginNotAllowed):
        presented_token(connection(kind, method, cookie="access_token=t2", **headers), SETTINGS)


@pytest.mark.parametrize("origin", [OWN, LISTED])
def test_ones_own_origin_and_those_on_the_list_are_allowed(origin: str) -> None:
    require_allowed_origin(connection(origin=origin), SETTINGS)


def test_the_subprotocol_is_answered_only_when_it_was_offered() -> None:
    assert offered_subprotocol(connection("websocket", sec_websocket_protocol="bearer, t3")) == "bearer"
    assert offered_subprotocol(connection("websocket", sec_websocket_protocol="chat")) is None
    assert offered_subprotocol(connection("websocket")) is None


def test_one_of_the_roles_is_enough() -> None:
    nurse = Principal("u1", "ada@example.org", "Ada", frozenset({Role.NURSE}), None, None, NOW)

    require_role(nurse, Role.ADMIN, Role.NURSE)
    with pytest.raises(RoleNotHeld, match="`admin` or `device`"):
        require_role(nurse, Role.ADMIN, Role.DEVICE)


def test_a_token_that_has_held_before_expires_all_the_same() -> None:
    """What is remembered of a token is its signature, and not that it holds. Fails otherwise (checked so)."""
    signer = TokenSigner("a key that only the tests know, 32+")
    token = signer.sign("u1", now=NOW, lifetime=timedelta(minutes=5))
    for _ in range(2):
        assert signer.read(token, now=NOW).user_id == "u1"
    with pytest.raises(TokenExpired):
        signer.read(token, now=NOW + timedelta(minutes=5))
    for _ in range(2):
        with pytest.raises(NotSignedIn):
            signer.read(token[:-4] + "AAAA", now=NOW)
