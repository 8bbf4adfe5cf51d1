"""PURE: single fields of a frame: what each must be, and the error that says so.

Every function here returns what is right or raises `FrameError`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from app.core.timestamps import from_rfc3339

#: What every program that reads JSON can count to.
LARGEST_EXACT_INTEGER: Final = 2**53


class FrameError(ValueError):
    """A frame that cannot be used.

    Attributes:
        code: the stable word that devices may rely on.
        field: the field at fault, as it is called on the wire; none when it is the frame as a whole.
        detail: what would be right; never what came in.
    """

    def __init__(self, code: str, field: str | None, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.field = field
        self.detail = detail


def require(fields: Mapping[str, Any], name: str) -> Any:
    """The field, which must be there."""
    value = fields.get(name)
    if value is None:
        raise FrameError("missing_field", name, f"`{name}` is needed")
    return value


def read_type(fields: Mapping[str, Any]) -> str:
    """What the frame is about."""
    value = require(fields, "type")
    if not isinstance(value, str):
        raise FrameError("wrong_type", "type", "`type` is a text")
    return value


def to_optional_text(value: object, name: str) -> str | None:
    """The value, if there is one; it must be a text."""
    if value is not None and not isinstance(value, str):
        raise FrameError("wrong_type", name, f"`{name}` is a text")
    return value


def to_number(value: object, field: str) -> int | float:
    """The value, which must be a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FrameError("wrong_type", field, f"`{field}` is a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise FrameError("not_a_number", field, f"`{field}` must be a finite number")
    return value


def to_seq(value: object) -> int | None:
    """The device's number of this frame, if it has one."""
    if value is None:
        return None
    if type(value) is not int:
        raise FrameError("wrong_type", "seq", "`seq` is an integer")
    if not 0 <= value <= LARGEST_EXACT_INTEGER:
        raise FrameError("value_out_of_range", "seq", "`seq` is between 0 and 2^53")
    return value


def read_time(fields: Mapping[str, Any]) -> datetime:
    """The field `timestamp`, aware, in UTC."""
    return to_time(require(fields, "timestamp"))


def to_time(value: object) -> datetime:
    """The moment, aware, in UTC: a text, or what MessagePack has as its own type for times."""
    if isinstance(value, str):
        try:
            return from_rfc3339(value)
        except ValueError:
            detail = "it is no RFC 3339 time with its offset from UTC, such as 2026-01-02T03:04:05Z"
            raise FrameError("bad_timestamp", "timestamp", detail) from None
    if isinstance(value, datetime):
        return value
    raise FrameError("bad_timestamp", "timestamp", "write it as a text, such as 2026-01-02T03:04:05Z")
