"""The demo's ward on a real server, and what tests do to it behind the console's back."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.commands.demo.ward import ADMIN, CARE_TEAM, NURSE, PASSWORD, furnish
from tests.servers import PATIENCE_SECONDS, ServerProcess
from tests.ward import host_of

DOCTOR = next(person for person in CARE_TEAM if person.role == "doctor")


def in_a_thread(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, also where Playwright has a loop of its own in this thread."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, coroutine).result()


@dataclass
class Ward:
    """A server with the demo's beds and people."""

    server: ServerProcess
    http: httpx.Client

    @property
    def url(self) -> str:
        return self.server.url

    def sign_in(self) -> None:
        """From now on, calls are those of the admin."""
        form = {"username": ADMIN.email, "password": PASSWORD}
        answer = self.http.post("/api/v1/login/access-token", data=form).raise_for_status()
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = self.http.request(method, path, json=body, **options)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def raise_alert(self, tier: str = "moderate", bed: str = "bed-1", **fields: Any) -> str:
        """A new alert for everybody who cares for that bed; gives its id."""
        body = {
            "patientId": bed,
            "vitalType": "spo2",
            "tier": tier,
            "vitalsWindow": [84, 83, 82],
            "unit": "%",
            "threshold": {"min": 90},
            "reasons": ["spo2 below 90"],
            "condition": f"test_{tier}",
            "recipients": ["patient", "nurse", "doctor"],
        }
        return str(self.call("POST", "/api/v1/alerts", body | fields)["alertId"])

    def alert(self, alert_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/api/v1/alerts/{alert_id}")
        return found

    def open_alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/api/v1/alerts", params={"state": "open", "limit": 200})[
            "alerts"
        ]
        return found

    def resolve(self, alert_id: str, bed: str = "bed-1") -> None:
        self.call("POST", f"/api/v1/alerts/alerts/{alert_id}/resolve", {}, params={"patient_id": bed})

    def resolve_all(self) -> None:
        """No alert is open any more."""
        for alert in self.open_alerts():
            self.resolve(alert["alertId"], alert["patientId"])

    def user_id(self, email: str = NURSE.email) -> str:
        found = self.call("GET", "/api/v1/users", params={"q": email})["users"]
        (user_id,) = (user["id"] for user in found if user["email"] == email)
        return str(user_id)

    def open_streams(self) -> int:
        """How many event streams of alerts are open now, by the server's own count."""
        lines = self.http.get("/metrics").raise_for_status().text.splitlines()
        return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("tocsin_streams_open{")))


def furnish_into(folder: Path) -> None:
    """A data folder with the ward in it, to be copied: making the accounts takes several seconds."""
    server = ServerProcess(folder)
    server.start()
    try:
        in_a_thread(furnish(host_of(server)))
    finally:
        server.end()


@contextmanager
def ward_on(furnished: Path, folder: Path, **settings: str) -> Iterator[Ward]:
    """A server on a copy of a furnished folder, ended with the block."""
    shutil.copytree(furnished, folder)
    server = ServerProcess(folder, **settings)
    server.start()
    try:
        with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS, trust_env=False) as http:
            ward = Ward(server, http)
            ward.sign_in()
            yield ward
    finally:
        server.end()
