"""How long a sample takes to a viewer's screen, and to an alert, at half of what one core carries."""

from __future__ import annotations

import argparse
import statistics
import time
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from bench.alert_stream import AlertStream
from bench.devices import Devices
from bench.ecg import FRAMES_PER_SECOND
from bench.machine import raise_file_limit
from bench.measures import Latency, number, percent
from bench.parts import GOOD, LOW, Parts, measure_parts
from bench.progress import say
from bench.results import Result, Table
from bench.running import SERVER_TROUBLE, running
from bench.servers.tocsin import ROOT
from bench.servers.ward import TocsinWard, patient_id
from bench.streaming import Cost, measure, note_disturbances, streaming
from bench.viewers import Viewers
from bench.wire import Poll

NAME = "live"
SUMMARY = "sample in to viewer out, and sample in to alert out, at half load, with its parts"
EXAMPLES = """\
  python -m bench live
  python -m bench live --patients 100 --rounds 1 --seconds 5"""
QUICK = ["--patients", "30", "--viewers", "5", "--seconds", "4", "--rounds", "1"]

#: No delays: the first reading beyond a limit raises the alert.
RULES = ROOT / "examples" / "rules" / "bare-limits.json"

MOST_TO_VIEWER_MS = 50.0
MOST_TO_ALERT_MS = 100.0

#: Half of the 95 % of a core beyond which a server counts as full.
HALF_LOAD = 0.475

#: With how many patients, and for how long, it is found out what half the load is.
TRIAL_PATIENTS, TRIAL_SECONDS = 100, 5.0
WARM_UP_SECONDS = 5.0

#: How long the last alert is waited for.
LAST_ALERT_SECONDS = 10.0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--patients", type=int, default=0, help="0 for as many as take half of what a core carries")
    parser.add_argument("--most", type=int, default=1000, help="no more patients than these")
    parser.add_argument("--viewers", type=int, default=50, help="each looks at a patient of its own")
    parser.add_argument("--seconds", type=float, default=60, help="how long each round lasts; ten alerts a second")
    parser.add_argument("--rounds", type=int, default=3)


@dataclass(frozen=True, slots=True)
class Round:
    """One turn.

    Attributes:
        to_viewer: from just before a frame's group was sent.
        to_alert: from just before a reading beyond its limit was sent to its alert's having been read.
        to_transaction: the beginning of that: taken in, decoded and ruled on, until the alert is being written.
        from_transaction: the rest of it: written, committed and delivered.
    """

    patients: int
    cost: Cost
    to_viewer: Latency
    to_alert: Latency
    to_transaction: Latency
    from_transaction: Latency
    alerts: int
    frames_viewed: int


class Crossings:
    """Lets one patient after another cross a limit and come back, and takes the times of the alerts.

    Attributes:
        raised: how many readings beyond the limit were sent.
    """

    def __init__(self, devices: Devices, patients: int) -> None:
        self.raised = 0
        self.to_alert_ns = array("q")
        self.to_transaction_ns = array("q")
        self.from_transaction_ns = array("q")
        self._devices = devices
        self._patients = patients
        self._sent_at_ns: dict[str, int] = {}

    def begin(self, tick: int) -> None:
        """Every patient's first reading, spread over the warm-up: with it the server looks up who that is."""
        ticks = WARM_UP_SECONDS * FRAMES_PER_SECOND
        for index in range(round(tick * self._patients / ticks), round((tick + 1) * self._patients / ticks)):
            self._devices.send_reading(index, "spo2", GOOD, "%")

    def step(self, tick: int) -> None:
        """Cross, or come back from the last crossing, turn and turn about: at even ticks and at odd ones."""
        index = tick // 2 % self._patients
        if tick % 2 == 0:
            self._sent_at_ns[patient_id(index)] = time.time_ns()
            self.raised += 1
            self._devices.send_reading(index, "spo2", LOW, "%")
        else:
            self._devices.send_reading(index, "spo2", GOOD, "%")

    def take(self, event: dict[str, Any], now_ns: int) -> None:
        """An event has come."""
        if event["event"] != "alert" or (sent_ns := self._sent_at_ns.pop(event["patientId"], None)) is None:
            return
        written_ns = _to_ns(event["occurredAt"])
        self.to_alert_ns.append(now_ns - sent_ns)
        self.to_transaction_ns.append(written_ns - sent_ns)
        self.from_transaction_ns.append(now_ns - written_ns)

    def verdict(self) -> list[str]:
        """What is wrong: nothing when every crossing has led to an alert."""
        missing = self.raised - len(self.to_alert_ns)
        return [f"{missing} of {self.raised} alerts did not come"] if missing else []


def run(options: argparse.Namespace) -> Result:
    result = Result(NAME, vars(options))
    raise_file_limit((options.patients or options.most) + options.viewers + 200)
    rounds: list[Round] = []
    try:
        patients = options.patients or min(options.most, _half_load())
        parts = measure_parts(RULES)
    except SERVER_TROUBLE as error:
        result.failed("trial", error)
        return result
    for turn in range(1, options.rounds + 1):
        where = f"{patients:,} patients, round {turn}"
        try:
            rounds.append(_take_turn(patients, options, where, result))
        except SERVER_TROUBLE as error:
            result.failed(where, error)
    result.raw += [*(asdict(one) for one in rounds), asdict(parts)]
    if rounds:
        _report(result, patients, rounds, parts)
    return result


def _half_load() -> int:
    """How many patients take half of what a core carries, from the cost of some."""
    with (
        running(lambda folder: TocsinWard(folder, patients=TRIAL_PATIENTS)) as server,
        streaming(server, TRIAL_PATIENTS) as (_, devices),
    ):
        devices.stream(WARM_UP_SECONDS)
        share = measure(server.process, devices, TRIAL_SECONDS).server_share
    patients = max(1, round(TRIAL_PATIENTS * HALF_LOAD / share))
    say(f"{TRIAL_PATIENTS} patients take {percent(share)} of the core: half load is {patients:,}")
    return patients


def _take_turn(patients: int, options: argparse.Namespace, where: str, result: Result) -> Round:
    settings = {"TOCSIN_RULES_FILE": str(RULES)}
    with (
        running(lambda folder: TocsinWard(folder, patients=patients, settings=settings)) as server,
        streaming(server, patients) as (poll, devices),
    ):
        viewers = Viewers(poll, devices.sent_at_ns)
        crossings = Crossings(devices, patients)
        alerts = AlertStream(poll, server.address, server.alerts_request(), crossings.take)
        try:
            requests = [server.viewer_request(index) for index in range(min(options.viewers, patients))]
            viewers.connect(server.address, requests)
            devices.stream(WARM_UP_SECONDS, crossings.begin)
            viewers.begin()
            cost = measure(server.process, devices, options.seconds, crossings.step)
            viewers.wait_for(devices.number - 1)
            _wait_for_alerts(poll, crossings)
            faults = [*devices.verdict(cost.tally), *viewers.verdict(devices.number - 1), *crossings.verdict()]
            faults += [f"the alert stream was cut off: {alerts.ended}"] if alerts.ended else []
            server.process.check()
        finally:
            viewers.close()
            alerts.close()
    one = Round(
        patients, cost, Latency.of(viewers.latencies_ns), Latency.of(crossings.to_alert_ns),
        Latency.of(crossings.to_transaction_ns), Latency.of(crossings.from_transaction_ns), crossings.raised,
        viewers.received,
    )  # fmt: skip
    result.failures += [f"{where}: {fault}" for fault in faults]
    say(
        f"{where}: to viewer p99 {one.to_viewer.p99_ms:.1f} ms, to alert p99 {one.to_alert.p99_ms:.1f} ms, "
        f"server {percent(cost.server_share)}" + "".join(f"; FAILED: {fault}" for fault in faults)
    )
    return one


def _wait_for_alerts(poll: Poll, crossings: Crossings) -> None:
    """Return when every alert has come, or has had time enough."""
    until = time.monotonic() + LAST_ALERT_SECONDS
    while crossings.verdict() and time.monotonic() < until:
        poll.pump(0.1)


def _to_ns(timestamp: str) -> int:
    """The time of the epoch, of a time to the microsecond."""
    return round(datetime.fromisoformat(timestamp).timestamp() * 1e6) * 1000


def _report(result: Result, patients: int, rounds: Sequence[Round], parts: Parts) -> None:
    ways = (
        ("sample in → viewer out", [one.to_viewer for one in rounds], sum(one.frames_viewed for one in rounds)),
        ("sample in → alert out", [one.to_alert for one in rounds], sum(one.alerts for one in rounds)),
        ("  of it: in, decoded, ruled on, its turn to be written", [one.to_transaction for one in rounds], None),
        ("  of it: written, committed, delivered", [one.from_transaction for one in rounds], None),
    )
    rows = [
        (
            way,
            number(statistics.median(one.p50_ms for one in latencies)),
            number(statistics.median(one.p99_ms for one in latencies)),
            number(max(one.max_ms for one in latencies)),
            "" if count is None else f"{count:,}",
        )
        for way, latencies, count in ways
    ]
    share = statistics.median(one.cost.server_share for one in rounds)
    load = statistics.median(one.cost.stretch.load_share for one in rounds)
    title = (
        f"{patients:,} patients, {FRAMES_PER_SECOND} frames a second each, medians of the rounds: "
        f"server's core {percent(share)}, load's core {percent(load)}"
    )
    result.tables.append(Table(title, ("", "p50 ms", "p99 ms", "worst ms of all rounds", "measured"), rows))
    by_themselves = (
        ("decode a waveform frame", parts.decode_frame_us),
        ("decode a reading", parts.decode_reading_us),
        ("rule on a reading that alarms nobody", parts.rule_us),
        ("write and commit an alert", parts.commit_us),
    )
    result.tables.append(
        Table(
            "The parts by themselves: in the load's process, with nothing else to do, medians",
            ("part", "µs"),
            [(part, number(us)) for part, us in by_themselves],
        )
    )
    note_disturbances(result, [one.cost for one in rounds], f"With {patients:,} patients")
    to_viewer = statistics.median(one.to_viewer.p99_ms for one in rounds)
    to_alert = statistics.median(one.to_alert.p99_ms for one in rounds)
    result.check_at_most("p99, sample in to viewer out, at half load", to_viewer, MOST_TO_VIEWER_MS, " ms")
    result.check_at_most("p99, sample in to alert on an event stream, at half load", to_alert, MOST_TO_ALERT_MS, " ms")
