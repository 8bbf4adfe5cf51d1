from __future__ import annotations

import pytest

from app.core.sinks import HIGH_WATER_BYTES, ASGISink


class Owner:
    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def left(self) -> None:
        self.told.append("left")


async def _never(_chunk: bytes) -> None:
    raise AssertionError("nobody carries anything here")


@pytest.mark.anyio
async def test_sending_never_calls_the_owner_who_may_be_in_the_middle_of_sending_to_many() -> None:
    """Fails when `send` takes what makes the sink pause (checked so)."""
    sink, owner = ASGISink(_never), Owner()
    sink.owner = owner
    chunk = bytes(1_000)

    for _ in range(HIGH_WATER_BYTES // len(chunk)):
        assert sink.send(chunk) == len(chunk)
    with pytest.raises(BlockingIOError):
        sink.send(chunk)

    assert (owner.told, sink.is_paused) == ([], False)
    assert HIGH_WATER_BYTES - len(chunk) < sink.unsent_bytes() <= HIGH_WATER_BYTES
    sink.write(chunk)
    assert (owner.told, sink.is_paused) == (["pause"], True)
