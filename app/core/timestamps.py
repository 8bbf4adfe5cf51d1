"""PURE: times on the wire are RFC 3339 in UTC with a `Z`."""

from __future__ import annotations

from datetime import UTC, datetime


def to_rfc3339(moment: datetime) -> str:
    """Write an aware datetime as `2026-01-02T03:04:05Z`, with a fraction only where it has one."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def from_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 time as an aware datetime in UTC.

    Raises:
        ValueError: the text is no RFC 3339 time, says no offset from UTC, or is outside the years 1 to 9999.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset from UTC, such as 2026-01-02T03:04:05Z")
    return moment if moment.tzinfo is UTC else to_utc(moment)


def to_utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        ValueError: in UTC it would be outside the years 1 to 9999.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time must be in the years 1 to 9999, in UTC") from None
