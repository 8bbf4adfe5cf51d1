"""What holds for every answer, whatever the route: headers, the limit of bodies, and how refusals look."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

from app.core.metrics import Metrics
from app.core.roles import Role
from tests.servers import RunningServer, code_of, serving

pytestmark = pytest.mark.anyio

LIMIT_BYTES = 4096
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with serving(tmp_path) as server:
        await server.user("admin", Role.ADMIN)
        await server.patient("P1")
        yield server


async def test_every_answer_carries_the_security_headers_each_once(ward: RunningServer) -> None:
    answers = [
        await ward.http.get("/healthz"),
        await ward.http.get("/nowhere"),
        await ward.call("POST", "/api/v1/users", "admin", {}),
        await ward.call("POST", "/api/v1/logout", "admin"),
        await ward.http.post("/api/v1/users", content=b"x" * (2 << 20)),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 422, 204, 413]
    async with ward.stream("admin", "admin") as stream:
        await stream.control("stream.ready")
    for headers in (*(answer.headers for answer in answers), stream.headers):
        for name, value in (
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
        ):
            assert headers.get_list(name) == [value]
        assert "server" not in headers


async def test_a_path_or_a_method_that_is_not_there_is_a_problem_document(ward: RunningServer) -> None:
    for path in ("/nowhere", "/api/v1", "/api/v2/users", "/api/v1/patients/P1/team"):
        assert code_of(await ward.call("GET", path, "admin")) == (404, "not_found"), path
    for method, path, allowed in (
        ("PUT", "/api/v1/users", "GET"),
        ("DELETE", "/api/v1/users/u1", "PATCH"),
        ("POST", "/api/v1/alerts/stream", "GET"),
        ("POST", "/healthz", "GET"),
    ):
        refused = await ward.call(method, path, "admin")
        assert code_of(refused) == (405, "method_not_allowed"), path
        assert allowed in refused.headers["allow"].split(", ")


async def test_a_body_that_is_no_json_is_named_wherever_it_is_sent(ward: RunningServer) -> None:
    """Fails for the last five when the framework's own parser reads the body (checked so)."""
    bodies = [
        b"", b"{", b'{"id": }', b"nonsense", b"[1, 2", b'{"id": "P2"} {}', b'{"id": "P2",}', b"{'id': 'P2'}",
        b'{"id": "\\ud800"}', b'{"\\udfff": 1}', b"\xff\xfe{\x00}\x00", b'{"id": "\xe4"}', b"[" * 100_000,
    ]  # fmt: skip
    paths = (
        "/api/v1/patients",
        "/api/v1/users",
        "/api/v1/alerts",
        "/api/v1/vitals",
        "/api/v1/vitals/bulk",
        "/api/v1/login/cookie",
    )
    for path in paths:
        for body in bodies:
            refused = await ward.http.post(path, content=body, headers=JSON | ward.bearer("admin"))
            assert code_of(refused) == (422, "validation_error"), (path, body[:20])
            assert [error["field"] for error in refused.json()["errors"]] == ["body"], (path, body[:20])
    for body in bodies[1:]:
        for path in ("/api/v1/refresh-token", "/api/v1/logout", "/api/v1/alerts/alerts/a1/acknowledge"):
            refused = await ward.http.post(path, content=body, headers=JSON | ward.bearer("admin"))
            assert code_of(refused) == (422, "validation_error"), (path, body[:20])
    sound = b'{"id": "P2", "name": "\\ud83d\\ude00 B\\u00e4r"}'
    made = await ward.http.post("/api/v1/patients", content=sound, headers=JSON | ward.bearer("admin"))
    assert (made.status_code, made.json()["name"]) == (201, "😀 Bär")


async def test_json_that_does_not_say_that_it_is_json_is_not_read(ward: RunningServer) -> None:
    """A page of somebody else can send text without asking first, and must not get anything done with it."""
    for content_type in ("text/plain", "application/x-www-form-urlencoded", None):
        headers = ward.bearer("admin") | ({} if content_type is None else {"Content-Type": content_type})
        refused = await ward.http.post("/api/v1/patients", content=b'{"id": "P2"}', headers=headers)
        assert code_of(refused) == (422, "validation_error"), content_type
    assert (await ward.call("POST", "/api/v1/patients", "admin", {"id": "P2"})).status_code == 201


async def test_a_body_of_two_megabytes_is_refused_told_or_untold_and_the_server_goes_on(ward: RunningServer) -> None:
    """Fails for the untold when only Content-Length is looked at, and for both without the limit (checked so)."""
    for path, content_type in (
        ("/api/v1/patients", "application/json"),
        ("/api/v1/login/access-token", "application/x-www-form-urlencoded"),
    ):
        headers = ward.bearer("admin") | {"Content-Type": content_type}
        told = await ward.http.post(path, content=b"x" * (2 << 20), headers=headers)
        untold = await ward.http.post(path, content=_pieces(2 << 20), headers=headers)
        for refused in (told, untold):
            assert code_of(refused) == (413, "body_too_large"), (path, content_type)
            assert refused.headers["connection"] == "close"
            assert "1048576 bytes" in refused.json()["detail"]
        assert (await ward.http.get("/healthz")).status_code == 200
    counted = ward.services.get(Metrics).registry.get_sample_value("tocsin_requests_refused_total", {"code": "413"})
    assert counted == 4


async def test_a_body_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    async with serving(tmp_path, max_body_bytes=LIMIT_BYTES) as server:
        await server.user("admin", Role.ADMIN)
        headers = JSON | server.bearer("admin")
        for number, extra, status in ((2, 0, 201), (3, 1, 413)):
            bare = json.dumps({"id": f"P{number}"}).encode()
            body = bare + b" " * (LIMIT_BYTES - len(bare) + extra)
            told = await server.http.post("/api/v1/patients", content=body, headers=headers)
            untold = await server.http.post(
                "/api/v1/patients", content=_pieces_of(body.replace(b"P", b"Q")), headers=headers
            )
            assert [told.status_code, untold.status_code] == [status, status]


async def test_a_body_that_is_much_too_large_is_answered_before_it_has_come(tmp_path: Path) -> None:
    """Fails when `_refuse` reads on to the end of the body (checked so): no answer comes then.

    The sender has told of ten megabytes, and has sent less than a hundredth of them when it is answered.
    """
    async with serving(tmp_path, max_body_bytes=1024) as server:
        address = urlsplit(server.url)
        assert address.hostname is not None
        assert address.port is not None
        async with await anyio.connect_tcp(address.hostname, address.port) as connection:
            await connection.send(
                b"POST /api/v1/login/cookie HTTP/1.1\r\nHost: ward\r\nContent-Type: application/json\r\n"
                b"Content-Length: 10485760\r\n\r\n" + b"x" * 65_536
            )
            received = b""
            with anyio.fail_after(4):  # The sender goes quiet; the server would wait five seconds for it.
                while b"body_too_large" not in received:
                    received += await connection.receive()
        assert received.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in received.lower()


async def test_refusals_are_counted_by_their_status_alone(ward: RunningServer) -> None:
    await ward.http.get("/nowhere")
    await ward.http.get("/nowhere/else")
    await ward.call("GET", "/api/v1/users/me")
    await ward.http.get("/healthz")

    metric = ward.services.get(Metrics).requests_refused.collect()
    samples = [sample for family in metric for sample in family.samples if sample.name.endswith("_total")]
    assert {sample.labels["code"]: sample.value for sample in samples} == {"404": 2, "401": 1}


async def test_a_client_that_leaves_in_the_middle_of_a_body_leaves_nothing_behind(ward: RunningServer) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        yield b'{"id": '
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await ward.http.post("/api/v1/patients", content=breaks_off(), headers=JSON | ward.bearer("admin"))
    assert (await ward.call("POST", "/api/v1/patients", "admin", {"id": "P2"})).status_code == 201


async def _pieces(size: int) -> AsyncIterator[bytes]:
    """A body whose size is not told beforehand."""
    for _ in range(size // 65_536):
        yield b"x" * 65_536


async def _pieces_of(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


async def test_a_page_of_an_allowed_origin_may_read_and_write_and_no_other(tmp_path: Path) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,last-event-id"}
    async with serving(tmp_path, allowed_origins=("https://ward.example.org",)) as server:
        for origin, allowed in (
            ("https://ward.example.org", "https://ward.example.org"),
            ("https://evil.example.org", None),
        ):
            headers = {"Origin": origin}
            preflight = await server.http.options("/api/v1/alerts", headers=headers | asks)
            answer = await server.http.get("/healthz", headers=headers)
            assert preflight.headers.get("access-control-allow-origin") == allowed
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert preflight.is_success is (allowed is not None)
            if allowed is not None:
                assert answer.headers["access-control-expose-headers"] == "Date, Retry-After"
