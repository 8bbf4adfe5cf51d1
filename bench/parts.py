"""What the parts of an alert's way take by themselves: in this process, on a new database, with nothing else to do."""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import msgspec

from app.core.config import Settings
from app.main import create_app
from app.modules.alerts.surveillance import Surveillance
from app.modules.patients.service import PatientService
from app.modules.vitals.decoding import decode_json, decode_msgpack
from bench.ecg import ECGFrames, made_up_counts, to_timestamp
from bench.events import PATIENT_ID

#: Readings of oxygen saturation that are below the limit of the rules, and well above it.
LOW, GOOD = 85.0, 97.0

_REPETITIONS = 2000
_ALERTS = 100


@dataclass(frozen=True, slots=True)
class Parts:
    """Medians: of decoding a waveform frame and a reading, of a ruling that finds nothing, and of a raise."""

    decode_frame_us: float
    decode_reading_us: float
    rule_us: float
    commit_us: float


def measure_parts(rules_file: Path) -> Parts:
    """Time each of them."""
    timestamp = to_timestamp(time.time())
    frame = ECGFrames(made_up_counts()).binary(1, timestamp)
    reading = msgspec.json.encode({"type": "spo2", "value": GOOD, "unit": "%", "timestamp": timestamp}).decode()
    rule_us, raise_us = anyio.run(functools.partial(_rule_and_raise, rules_file), backend_options={"use_uvloop": True})
    decode_us = _median_us(lambda: decode_msgpack(frame)), _median_us(lambda: decode_json(reading))
    return Parts(*decode_us, rule_us, raise_us - rule_us)


def _median_us(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(_REPETITIONS):
        start = time.perf_counter_ns()
        work()
        taken.append(time.perf_counter_ns() - start)
    return statistics.median(taken) / 1000


async def _rule_and_raise(rules_file: Path) -> tuple[float, float]:
    """How long a reading takes that finds nothing, and one that raises an alert, both in microseconds."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        app = create_app(Settings(data_dir=Path(folder), rules_file=rules_file))
        async with app.router.lifespan_context(app):
            services = app.state.services
            await services.get(PatientService).create(PATIENT_ID, None)
            surveillance = services.get(Surveillance)
            nothing: list[int] = []
            raised: list[int] = []
            moment = datetime.now(UTC) - timedelta(seconds=_ALERTS)
            for _ in range(_ALERTS):
                for value, times in ((LOW, raised), (GOOD, None), (GOOD, nothing)):
                    moment += timedelta(seconds=0.25)
                    start = time.perf_counter_ns()
                    await surveillance.observe(PATIENT_ID, "spo2", value, moment, unit="%")
                    if times is not None:
                        times.append(time.perf_counter_ns() - start)
    return statistics.median(nothing) / 1000, statistics.median(raised) / 1000
