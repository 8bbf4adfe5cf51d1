from __future__ import annotations

import pytest

from app.core.roles import Role
from app.core.security import Principal
from app.modules.vitals.rights import SocketRights
from tests.modules.vitals.station import PATIENT
from tests.modules.ward import Ward

pytestmark = pytest.mark.anyio


async def its_patient(_principal: Principal) -> str:
    return PATIENT


async def test_what_is_to_be_done_at_the_end_is_done_in_that_moment_and_once(ward: Ward) -> None:
    await ward.user("nurse", Role.NURSE)
    done: list[str] = []
    rights = SocketRights(ward.access, ward.auth, ward.clock)
    async with rights.held(await ward.principal("nurse"), its_patient) as right:
        right.on_end(lambda: done.append("before it"))
        assert done == []
        right.end("slow_consumer")
        assert done == ["before it"]
        right.end("access_changed")
        right.on_end(lambda: done.append("after it"))
        assert (done, right.reason) == (["before it", "after it"], "slow_consumer")
