"""The demo's ward with two more beds, so that eight patients are on one screen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from app.commands.demo.devices import run_device
from app.commands.demo.simulator import PATIENTS as OF_THE_DEMO
from app.commands.demo.simulator import Baseline, Patient
from app.commands.demo.together import run_together
from app.commands.demo.ward import DEVICE, NURSE, Tokens
from tests.browser.ward import Ward, ward_on
from tests.ward import host_of

# Without what befalls those of the demo: what is measured is the same in each second.
MORE = (Patient("bed-7", Baseline(heart_rate=70)), Patient("bed-8", Baseline(heart_rate=88, spo2=98)))
PATIENTS = (*(Patient(patient.id, patient.baseline) for patient in OF_THE_DEMO), *MORE)


@contextmanager
def ward_of_eight(furnished: Path, folder: Path) -> Iterator[Ward]:
    """A server with eight patients whose monitors send."""
    with ward_on(furnished, folder) as ward:
        people = [ward.user_id(person.email) for person in (NURSE, DEVICE)]
        for patient in MORE:
            bed = {"id": patient.id, "name": patient.id.replace("bed-", "Bed "), "unit": "icu"}
            ward.call("POST", "/api/v1/patients", bed)
            for user_id in people:
                ward.call("PUT", f"/api/v1/patients/{patient.id}/care-team/{user_id}")
        with _monitors(ward):
            yield ward


@contextmanager
def _monitors(ward: Ward) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    token = partial(Tokens(host_of(ward.server)).of, DEVICE)
    devices = [run_device(patient, url=ward.url, token=token, notice=print) for patient in PATIENTS]
    running = loop.create_task(run_together(*devices))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(running)
        loop.close()

    thread = threading.Thread(target=run, name="monitors")
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(running.cancel)
        thread.join()
