"""The web console at `/`: the files that its build has made, where there are any."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED, _CHECKOUT = _PACKAGE / "_console", _PACKAGE.parent / "web" / "console" / "dist"

#: Where the built console is, if it is built: in an installed package, or beside the source in a checkout.
FOLDER: Final = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT

_FRONT = "index.html"
_ASSETS = "assets"

#: Whatever finds its way into the page can load, run, frame and reach nothing but what comes from this server.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DENIED = ("camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone", "midi", "payment")
_SECURITY_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _DENIED),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

#: The name of an asset changes with its content; everything else is asked for anew, and mostly answered with 304.
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"

# Written down, because what a system knows of file names differs, and a script of no known type is not run.
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_PACKED: Final = frozenset({".png", ".webp", ".woff2"})


def serve_console(app: Starlette, folder: Path, *, otherwise: str) -> None:
    """Serve each file of the built console, with `/` for its front page; where none is built, `/` leads elsewhere.

    The page finds its way by what stands behind the `#`, so that every address is one of a file, and any
    other is unknown. Called after the routes of the interface are there, it shadows none of them.

    Args:
        otherwise: the path that `/` leads to when the folder holds no console.
    """
    if not (folder / _FRONT).is_file():
        app.add_route("/", lambda _: RedirectResponse(otherwise), include_in_schema=False)
        return
    for address, path in _addresses(folder):
        file = _File(path, caching=_FOR_EVER if address.startswith(f"/{_ASSETS}/") else _ASK_AGAIN)
        app.add_route(address, file.answer, include_in_schema=False)


def _addresses(folder: Path) -> Iterator[tuple[str, Path]]:
    yield "/", folder / _FRONT
    for path in [*folder.iterdir(), *(folder / _ASSETS).rglob("*")]:
        if path.is_file() and not path.name.startswith("."):
            yield f"/{path.relative_to(folder).as_posix()}", path


class _File:
    """A file of the console, held in memory: there are few, and they do not change while the server runs."""

    def __init__(self, path: Path, *, caching: str) -> None:
        self._content = path.read_bytes()
        self._packs = path.suffix not in _PACKED
        self._digest = sha256(self._content).hexdigest()[:32]
        self._headers = {
            **_SECURITY_HEADERS,
            "Cache-Control": caching,
            "Content-Type": _TYPES.get(path.suffix, "application/octet-stream"),
            **({"Vary": "Accept-Encoding"} if self._packs else {}),
        }

    # No coroutine, so that the framework has a thread do it: the first who takes it packed waits for the packing.
    def answer(self, request: Request) -> Response:
        is_packed = self._packs and _takes_gzip(request.headers.get("accept-encoding", ""))
        # Of the content, and not of the file's time, which an installer may set to the same for every version.
        tag = f'"{self._digest}-gzip"' if is_packed else f'"{self._digest}"'
        headers = {**self._headers, "ETag": tag}
        if _names(request.headers.get("if-none-match", ""), tag):
            del headers["Content-Type"]
            return Response(status_code=304, headers=headers)
        if is_packed:
            headers["Content-Encoding"] = "gzip"
        return Response(self._gzipped if is_packed else self._content, headers=headers)

    @cached_property
    def _gzipped(self) -> bytes:
        return gzip.compress(self._content, mtime=0)


def _takes_gzip(accept_encoding: str) -> bool:
    """Whether the client unpacks gzip (RFC 9110, 12.5.3); one that says so with a weight of zero does not."""
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False


def _names(if_none_match: str, tag: str) -> bool:
    """Whether the client has what this tag stands for (RFC 9110, 13.1.2, by weak comparison)."""
    tags = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return tag in tags or tags == ["*"]
