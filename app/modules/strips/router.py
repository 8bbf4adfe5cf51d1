"""The door of strips."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Header, Query, Response

from app.core.bodies import JSONRoute
from app.core.errors import problem_responses
from app.core.security import Caller, NotSignedIn, TokenExpired
from app.core.services import service
from app.core.wire import Id
from app.modules.alerts.service import UnknownAlert
from app.modules.strips.errors import NoStrip
from app.modules.strips.paper import Heading, draw
from app.modules.strips.schemas import JSON, MSGPACK, SVG, StripView, encode_json, encode_msgpack
from app.modules.strips.service import StripService
from app.modules.strips.strip import Strip

router = APIRouter(prefix="/api/v1", tags=["alerts"], route_class=JSONRoute)

#: A picture that is opened by itself is a document: it may load nothing, and run nothing.
_CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class Form(StrEnum):
    JSON = "json"
    BINARY = "binary"
    SVG = "svg"


_MEDIA_TYPES = {Form.JSON: JSON, Form.BINARY: MSGPACK, Form.SVG: SVG}
_SUFFIXES = {Form.JSON: "json", Form.BINARY: "msgpack", Form.SVG: "svg"}

_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The strip",
        "content": {
            MSGPACK: {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "The same as a MessagePack map; the `samples` of a segment are a `bin` of "
                    "little-endian int16, beside `scale` and `offset`: a value is `count * scale + offset`.",
                }
            },
            SVG: {
                "schema": {
                    "type": "string",
                    "description": "ECG paper of true size, 25 mm/s and 10 mm/mV, with a line at the alert.",
                }
            },
        },
    }
}


@router.get(
    "/alerts/{alert_id}/strip",
    summary="The waveforms from 10 s before an alert to 5 s after it",
    description="Whoever may see the alert may see its strip. `format` says in which form; without it, the header "
    "`Accept` does.",
    response_model=StripView,
    responses={**_FORMS, **problem_responses(NotSignedIn, TokenExpired, UnknownAlert, NoStrip)},
)
async def get_strip(
    alert_id: Id,
    caller: Caller,
    strips: Annotated[StripService, service(StripService)],
    form: Annotated[Form | None, Query(alias="format")] = None,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    strip, heading = await strips.get(caller, alert_id)
    form = form or _accepted(accept)
    # A strip of twelve leads takes tens of milliseconds, in which the event loop has better things to do.
    content = await anyio.to_thread.run_sync(partial(_render, form, strip, heading))
    headers = {"Vary": "Accept", "Content-Disposition": f'inline; filename="strip-{alert_id}.{_SUFFIXES[form]}"'}
    if form is Form.SVG:
        headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
    return Response(content, headers=headers, media_type=_MEDIA_TYPES[form])


def _render(form: Form, strip: Strip, heading: Heading) -> bytes:
    if form is Form.SVG:
        return draw(strip, heading).encode()
    return encode_msgpack(strip) if form is Form.BINARY else encode_json(strip)


def _accepted(accept: str | None) -> Form:
    """The form that the header likes best; JSON where it likes none of ours, or any."""
    best, most = Form.JSON, 0.0
    for item in (accept or "").split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                quality = _quality(value.strip())
        for form, ours in _MEDIA_TYPES.items():
            if media_type == ours and quality > most:
                best, most = form, quality
    return best


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
