"""Ours, as an operator runs it: nothing is switched off, and every setting is the default one."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from bench.dialect import Dialect, TocsinDialect
from bench.events import PATIENT_ID, raise_request
from bench.process import START_SECONDS, ServerProcess
from bench.publisher import post
from bench.servers.server import HOST, Server

ROOT = Path(__file__).resolve().parents[2]
ADMIN = "admin@bench.example"
DEFAULT_NURSES = 20


class Tocsin(Server):
    """`tocsin serve` on a new database, with one patient and the nurses of its care team."""

    name = "tocsin"
    title = "Tocsin"
    path = f"/api/v1/alerts/stream?role=nurse&patient_id={PATIENT_ID}"
    publish_path = "/api/v1/alerts"

    def __init__(
        self, folder: Path, *, nurses: int = DEFAULT_NURSES, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(folder)
        self.url = f"http://{HOST}:{self.port}"
        self.nurses = nurses
        #: Makes the events so much longer.
        self.filling = ""
        self._password = secrets.token_urlsafe(24)
        self._environment = {
            "TOCSIN_DATA_DIR": str(folder / "data"),
            "TOCSIN_LOG_LEVEL": "warning",
            "PYTHONPATH": str(ROOT),
            **(settings or {}),
        }
        self.admin_token = ""
        self._nurse_tokens: list[str] = []

    @property
    def dialect(self) -> Dialect:
        return TocsinDialect()

    def launch(self) -> ServerProcess:
        # Not from the repository's root: a tocsin.toml there would count.
        command = [sys.executable, "-m", "app.cli", "serve", "--port", str(self.port)]
        return ServerProcess(command, log=self.folder / "tocsin.log", cwd=self.folder, environment=self._environment)

    def restart(self) -> None:
        """Start again on the same data, after it was killed; returns once it listens."""
        self.process = self.launch()
        self.process.wait_until_listening(self.port)

    def prepare(self) -> None:
        self._create_admin()
        with httpx.Client(base_url=self.url, timeout=START_SECONDS) as http:
            self.admin_token = self.sign_in(http, ADMIN)
            http.headers["Authorization"] = f"Bearer {self.admin_token}"
            self.call(http, "POST", "/api/v1/patients", {"id": PATIENT_ID})
            for number in range(self.nurses):
                user_id = self.create_user(http, _nurse(number), "nurse")
                self.call(http, "PUT", f"/api/v1/patients/{PATIENT_ID}/care-team/{user_id}")
                self._nurse_tokens.append(self.sign_in(http, _nurse(number)))

    def sign_in_again(self) -> None:
        """Get new tokens, before the old ones end in a run that takes longer than they hold."""
        with httpx.Client(base_url=self.url, timeout=START_SECONDS) as http:
            self.admin_token = self.sign_in(http, ADMIN)
            self._nurse_tokens = [self.sign_in(http, _nurse(number)) for number in range(self.nurses)]

    def subscribe_request(self, index: int, cursor: str | None) -> bytes:
        resume = f"Last-Event-ID: {cursor}\r\n" if cursor else ""
        replay = "" if cursor else "&replay=none"
        token = self._nurse_tokens[index % len(self._nurse_tokens)]
        return (
            f"GET {self.path}{replay} HTTP/1.1\r\nHost: {HOST}:{self.port}\r\nAccept: text/event-stream\r\n"
            f"Authorization: Bearer {token}\r\n{resume}\r\n"
        ).encode()

    def publish_request(self, number: int) -> bytes:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.admin_token}"}
        return post(self.publish_path, raise_request(number, filling=self.filling), headers)

    def metrics(self) -> str:
        """What it counts itself, in the Prometheus text format."""
        return httpx.get(f"{self.url}/metrics", timeout=START_SECONDS).raise_for_status().text

    def _create_admin(self) -> None:
        command = [sys.executable, "-m", "app.cli", "user", "create", ADMIN, "--role", "admin", "--password-stdin"]
        subprocess.run(
            command, cwd=self.folder, env=self.process.environment, input=self._password, text=True, check=True,
            capture_output=True, timeout=START_SECONDS,
        )  # fmt: skip

    def create_user(self, http: httpx.Client, email: str, role: str) -> str:
        """A new user who signs in with the password of them all; gives the user's id."""
        user = {"email": email, "roles": [role], "password": self._password}
        user_id: str = self.call(http, "POST", "/api/v1/users", user).json()["id"]
        return user_id

    def sign_in(self, http: httpx.Client, email: str) -> str:
        """A token of this user."""
        form = {"username": email, "password": self._password}
        answer = http.post("/api/v1/login/access-token", data=form).raise_for_status()
        token: str = answer.json()["access_token"]
        return token

    @staticmethod
    def call(http: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """A request that must succeed."""
        return http.request(method, path, json=body).raise_for_status()


def _nurse(number: int) -> str:
    return f"nurse-{number}@bench.example"
