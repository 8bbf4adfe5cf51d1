"""The servers that take vital signs: ours, and ws on Node."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import httpx

from bench.events import PATIENT_ID
from bench.process import START_SECONDS, ServerProcess
from bench.servers.server import HOST, Server
from bench.servers.tocsin import Tocsin
from bench.websocket import opening

_WS_FOLDER = Path(__file__).resolve().parents[1] / "peers" / "ws"

#: Heart beats are measured for themselves; everything else is as an operator has it.
WITHOUT_BEATS = {"TOCSIN_ECG_HEART_RATE": "false"}

#: Accounts that the devices of all patients share among them.
DEVICE_ACCOUNTS = 10


def patient_id(index: int) -> str:
    """The first patient is that of the alerts."""
    return PATIENT_ID if index == 0 else f"P{index + 1}"


class TocsinWard(Tocsin):
    """`tocsin serve` with so many patients, and device accounts on their care teams."""

    def __init__(self, folder: Path, *, patients: int, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, nurses=0, settings=settings)
        self.patients = patients
        self._device_tokens: list[str] = []

    def prepare(self) -> None:
        super().prepare()
        with httpx.Client(base_url=self.url, timeout=START_SECONDS) as http:
            http.headers["Authorization"] = f"Bearer {self.admin_token}"
            device_ids = []
            for number in range(min(DEVICE_ACCOUNTS, self.patients)):
                email = f"device-{number}@bench.example"
                device_ids.append(self.create_user(http, email, "device"))
                self._device_tokens.append(self.sign_in(http, email))
            for index in range(self.patients):
                if index > 0:
                    self.call(http, "POST", "/api/v1/patients", {"id": patient_id(index)})
                device_id = device_ids[index % len(device_ids)]
                self.call(http, "PUT", f"/api/v1/patients/{patient_id(index)}/care-team/{device_id}")

    def device_request(self, index: int) -> bytes:
        """What opens the WebSocket of the device of this patient."""
        token = self._device_tokens[index % len(self._device_tokens)]
        return self._opening(f"/api/v1/vitals/ws/mobile?patient_id={patient_id(index)}", token)

    def viewer_request(self, index: int, *, form: str = "json") -> bytes:
        """What opens the WebSocket of a viewer of this patient, who reads `json` or `binary`."""
        path = f"/api/v1/vitals/ws/frontend?patient_id={patient_id(index)}&format={form}"
        return self._opening(path, self.admin_token)

    def alerts_request(self) -> bytes:
        """What opens an event stream of the alerts of all patients."""
        return (
            f"GET /api/v1/alerts/stream?role=admin&patient_id=all&replay=none HTTP/1.1\r\nHost: {HOST}:{self.port}\r\n"
            f"Accept: text/event-stream\r\nAuthorization: Bearer {self.admin_token}\r\n\r\n"
        ).encode()

    def _opening(self, path: str, token: str) -> bytes:
        return opening(f"{HOST}:{self.port}", path, {"Authorization": f"Bearer {token}"})


class NodeWard(Server):
    """A WebSocket server that decodes, checks and keeps what devices send, or hands it on to all viewers as it is."""

    name = "node_ws"
    title = "ws and @msgpack/msgpack (Node)"
    install = "npm ci --prefix bench/peers/ws"

    def __init__(self, folder: Path, *, relays: bool = False) -> None:
        super().__init__(folder)
        self._path = "/relay" if relays else "/devices"

    @classmethod
    def missing(cls) -> str | None:
        if shutil.which("node") is None:
            return "Node"
        return None if (_WS_FOLDER / "node_modules" / "ws").is_dir() else "ws"

    def launch(self) -> ServerProcess:
        command = [str(shutil.which("node")), "server.mjs", str(self.port)]
        return ServerProcess(command, log=self.folder / "node_ws.log", cwd=_WS_FOLDER)

    def device_request(self, index: int) -> bytes:
        """What opens the WebSocket of the device of this patient."""
        return opening(f"{HOST}:{self.port}", f"{self._path}?patient_id={patient_id(index)}")

    def viewer_request(self, index: int, *, form: str = "json") -> bytes:
        """What opens the WebSocket of a viewer, who gets what is sent in the form in which it is."""
        return opening(f"{HOST}:{self.port}", f"/viewers?patient_id={patient_id(index)}")
