"""What is told of devices."""

from __future__ import annotations

from pydantic import Field

from app.core.wire import WireModel


class DeviceCounts(WireModel):
    """Devices of the whole ward, on whichever node they are."""

    expected: int = Field(description="Those that should be sending.")
    silent: int = Field(description="Of these, those whose silence is alarmed.")
