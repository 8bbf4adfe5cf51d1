"""What can be wrong with asking for a strip."""

from __future__ import annotations

from app.core.errors import AppError


class NoStrip(AppError):
    """No waveform of the patient was coming in around the alert, or it has not been written down yet."""

    status, code = 404, "no_strip"

    def __init__(self, *, retry_after_seconds: int | None = None) -> None:
        if retry_after_seconds is None:
            super().__init__("no waveform of this patient was coming in when the alert was raised")
        else:
            super().__init__(
                "the alert is new, and so far no waveform of this patient has been stored with it",
                headers={"Retry-After": str(retry_after_seconds)},
            )
