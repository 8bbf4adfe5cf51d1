from __future__ import annotations

import os
from pathlib import Path

# `pytest.approx` asks numpy where it finds it, and must not meet it half loaded by the thread of a server.
import numpy as np  # noqa: F401
import pytest
from hypothesis import HealthCheck, settings

# How fast a machine is decides no test.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; without it the test says that it skipped."""
    folder = Path(os.environ.get("TOCSIN_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no recordings: put them where TOCSIN_TEST_DATA says")
    return folder
