"""The web console at `/`, served out of a folder as a build would leave it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.core.roles import Role
from tests.servers import RunningServer, code_of, serving

pytestmark = pytest.mark.anyio

FRONT = "<!doctype html><title>Tocsin</title><script type=module src=/assets/index-B2c4.js></script>"
SCRIPT = "console.log('bed 3');\n" * 200
BUILT = {
    "index.html": FRONT,
    "favicon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "manifest.webmanifest": '{"name": "Tocsin"}',
    "assets/index-B2c4.js": SCRIPT,
    "assets/index-x9.css": "body { margin: 0 }",
    "assets/fonts/ward-1.woff2": "wOF2" * 100,
    ".vite/manifest.json": "{}",
}
POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
    "font-src 'self'", "manifest-src 'self'", "worker-src 'self'", "base-uri 'none'", "form-action 'none'",
    "frame-ancestors 'none'",
}  # fmt: skip


def build(folder: Path, **more: str) -> Path:
    """A built console; underscores in the names of more files stand for dots."""
    for name, text in {**BUILT, **{name.replace("_", "."): text for name, text in more.items()}}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with serving(tmp_path / "data", console=build(tmp_path / "dist")) as server:
        yield server


async def get(server: RunningServer, path: str, encoding: str = "identity", **headers: str) -> httpx.Response:
    return await server.http.get(path, headers={"Accept-Encoding": encoding, **headers})


async def test_the_front_page_is_asked_for_anew_and_lets_in_nothing_from_elsewhere(server: RunningServer) -> None:
    page = await get(server, "/")
    assert (page.status_code, page.text) == (200, FRONT)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert set(page.headers["content-security-policy"].split("; ")) == POLICY
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    assert page.headers["cross-origin-resource-policy"] == "same-origin"
    assert "microphone=()" in page.headers["permissions-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "media_type", "caching"),
    [
        ("/assets/index-B2c4.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/assets/index-x9.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/assets/fonts/ward-1.woff2", "font/woff2", "public, max-age=31536000, immutable"),
        ("/favicon.svg", "image/svg+xml", "no-cache"),
        ("/manifest.webmanifest", "application/manifest+json", "no-cache"),
    ],
)
async def test_what_carries_its_content_in_its_name_is_kept_for_ever_and_nothing_else(
    server: RunningServer, path: str, media_type: str, caching: str
) -> None:
    file = await get(server, path)
    assert (file.status_code, file.text) == (200, BUILT[path.removeprefix("/")])
    assert (file.headers["content-type"], file.headers["cache-control"]) == (media_type, caching)
    assert file.headers["content-security-policy"], "a drawing is a document, too, where it is opened by itself"


async def test_whoever_has_the_file_already_is_told_only_that(server: RunningServer) -> None:
    for encoding in ("identity", "gzip"):
        tag = (await get(server, "/", encoding)).headers["etag"]
        for shown in (tag, f'"else", W/{tag}', "*"):
            again = await get(server, "/", encoding, **{"If-None-Match": shown})
            assert (again.status_code, again.content) == (304, b"")
            assert (again.headers["etag"], again.headers["cache-control"]) == (tag, "no-cache")
            assert "Accept-Encoding" in again.headers["vary"].split(", ")
        assert (await get(server, "/", encoding, **{"If-None-Match": '"else"'})).text == FRONT


async def test_another_build_of_the_same_length_and_time_is_another_file(tmp_path: Path) -> None:
    """Fails when the tag is made of the file's length and time, as is usual (checked so): installers set the time."""
    tags = []
    for text in ("<p>one", "<p>two"):
        folder = build(tmp_path / "dist", index_html=text)
        os.utime(folder / "index.html", (0, 0))
        async with serving(tmp_path / text[3:], console=folder) as server:
            tags.append((await get(server, "/")).headers["etag"])
    assert len(set(tags)) == 2


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("*", True), ("gzip;q=0", False), ("gzip; q=0.0", False), ("br", False)],
)
async def test_a_script_is_packed_for_those_who_unpack(server: RunningServer, accepted: str, is_packed: bool) -> None:
    script = await get(server, "/assets/index-B2c4.js", accepted)
    assert script.text == SCRIPT
    assert "Accept-Encoding" in script.headers["vary"].split(", ")
    assert script.headers.get("content-encoding") == ("gzip" if is_packed else None)
    assert (int(script.headers["content-length"]) < len(SCRIPT)) == is_packed
    assert "content-encoding" not in (await get(server, "/assets/fonts/ward-1.woff2", "gzip")).headers


async def test_a_head_has_the_headers_and_no_body(server: RunningServer) -> None:
    for path in ("/", "/assets/index-x9.css"):
        whole, head = await server.http.get(path), await server.http.head(path)
        assert (head.status_code, head.content) == (200, b"")
        different = {"date"}
        assert {k: v for k, v in head.headers.items() if k not in different} == {
            k: v for k, v in whole.headers.items() if k not in different
        }


async def test_what_is_no_file_of_the_console_is_unknown_as_before(server: RunningServer) -> None:
    for path in (
        "/ward", "/api/v1/nothing", "/assets/", "/assets/index-old.js", "/.vite/manifest.json",
        "/assets/%2e%2e/index.html", "/assets/%2e%2e/%2e%2e/data/tocsin.db", "/%2e%2e/data/secret.key",
    ):  # fmt: skip
        answer = await server.http.get(httpx.URL(server.url).copy_with(raw_path=path.encode()))
        assert code_of(answer) == (404, "not_found"), path


async def test_no_file_of_the_console_stands_before_the_interface(tmp_path: Path) -> None:
    """Fails when the console's routes come first (checked so)."""
    names = {"openapi_json": "mine", "healthz": "mine", "metrics": "mine", "docs": "mine"}
    async with serving(tmp_path / "data", console=build(tmp_path / "dist", **names)) as server:
        await server.user("nurse", Role.NURSE)
        for path in ("/openapi.json", "/healthz", "/metrics", "/docs"):
            assert (await server.http.get(path)).text != "mine"
        assert (await server.call("GET", "/api/v1/users/me", "nurse")).status_code == 200


async def test_where_no_console_is_built_the_front_leads_to_the_description(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "nowhere"):
        async with serving(tmp_path / "data" / name, console=tmp_path / name) as server:
            front = await server.http.get("/", follow_redirects=True)
            assert (front.status_code, front.url.path) == (200, "/docs")
            assert code_of(await server.http.get("/favicon.svg")) == (404, "not_found")
