"""Devices that stream to a server for a while, and what that costs the server."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.devices import Devices, MakeMessage, Stretch, Tally
from bench.ecg import ECGFrames, made_up_counts
from bench.machine import SERVER_CORE, busy_seconds, can_pin
from bench.process import ServerProcess
from bench.results import Result
from bench.servers.ward import NodeWard, TocsinWard
from bench.websocket import BINARY, masked
from bench.wire import Poll

Ward = TocsinWard | NodeWard

#: Ours, and then the peer.
WARDS: tuple[type[Ward], ...] = (TocsinWard, NodeWard)

#: A core that is busier than this may not have let the server keep the pace.
FULL_SHARE = 0.9

#: The load counts as the bottleneck from here on, as a share of its core.
MOST_LOAD_SHARE = 0.8

#: The load itself counts as too late from here on.
MOST_LATE_SECONDS = 0.1

#: The machine counts as busy with something else from here on.
MOST_OTHERS_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Cost:
    """What a server has done while devices streamed.

    Attributes:
        tally: what it said after the last frame.
        cpu_seconds: for all of these frames.
        server_share: of one core; `others_share` likewise, of the server's core, by anybody else.
    """

    stretch: Stretch
    tally: Tally
    cpu_seconds: float
    server_share: float
    others_share: float

    @property
    def is_behind(self) -> bool:
        """Whether the server itself filled its core, and may not have kept the pace."""
        return self.server_share > FULL_SHARE

    @property
    def us_per_frame(self) -> float:
        """CPU time of the server for each frame that was sent meanwhile."""
        return 1e6 * self.cpu_seconds / self.stretch.frames


def as_binary(frames: ECGFrames) -> MakeMessage:
    """As devices send it; each group has begun at another place of the signal, so that hearts are not in step."""
    return lambda count, timestamp, group: masked(BINARY, frames.binary(count, timestamp, begin=7 * group))


@contextmanager
def streaming(
    server: Ward, patients: int, form: Callable[[ECGFrames], MakeMessage] = as_binary
) -> Iterator[tuple[Poll, Devices]]:
    """A device for each of so many patients, connected; all of them leave with the block.

    Args:
        form: how the frames are written.
    """
    poll = Poll()
    devices = Devices(poll, form(ECGFrames(made_up_counts())))
    try:
        devices.connect(server.address, [server.device_request(index) for index in range(patients)])
        yield poll, devices
    finally:
        devices.close()
        poll.close()


def measure(
    process: ServerProcess, devices: Devices, seconds: float, on_tick: Callable[[int], None] | None = None
) -> Cost:
    """Stream for so long, and see what it costs; see `Devices.stream`."""
    devices.flush()
    gc.collect()
    cpu_before, busy_before = process.cpu_seconds(), busy_seconds(SERVER_CORE)
    stretch = devices.stream(seconds, on_tick)
    cpu, busy = process.cpu_seconds() - cpu_before, busy_seconds(SERVER_CORE) - busy_before
    others = max(0.0, busy - cpu) / stretch.seconds if can_pin() else 0.0
    tally, share = devices.flush(), cpu / stretch.seconds
    if share + others > FULL_SHARE:
        # What still waited was taken in the meantime; it belongs to these frames.
        cpu = process.cpu_seconds() - cpu_before
    return Cost(stretch, tally, cpu, share, others)


def note_disturbances(result: Result, costs: list[Cost], where: str) -> None:
    """Say where the load, or something else on the machine, may have had a part in the numbers."""
    if not costs:
        return
    load = max(cost.stretch.load_share for cost in costs)
    if load > MOST_LOAD_SHARE:
        result.notes.append(f"{where} the load used {100 * load:.0f} % of its core, and may have been the bottleneck.")
    late = max(cost.stretch.late_seconds for cost in costs)
    if late > MOST_LATE_SECONDS:
        result.notes.append(f"{where} the load was up to {1000 * late:.0f} ms late with its frames.")
    others = sorted(cost.others_share for cost in costs)[len(costs) // 2]
    if others > MOST_OTHERS_SHARE:
        result.notes.append(
            f"{where} other processes used {100 * others:.0f} % of the server's core: "
            "these are no numbers of a quiet machine."
        )
