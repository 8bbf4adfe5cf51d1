"""What the operator can count. No label ever carries a patient or a user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

_LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class LoopCounter(Collector):
    """A counter with one label for what happens thousands of times a second, on the event loop and nowhere else.

    A counter of the library takes a lock each time, which costs ten times as much.

    Attributes:
        counts: of each value of the label, how often so far.
    """

    def __init__(self, name: str, documentation: str, label: str, *, registry: CollectorRegistry) -> None:
        self.counts: defaultdict[str, int] = defaultdict(int)
        self._about = name, documentation, label
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        name, documentation, label = self._about
        family = CounterMetricFamily(name, documentation, labels=[label])
        for value, count in self.counts.items():
            family.add_metric([value], count)
        return [family]


class Metrics:
    """The metrics of one application; each application has its own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.streams_open = Gauge("tocsin_streams_open", "Alert streams open now.", ["transport", "role"], registry=r)
        self.streams_opened = Counter(
            "tocsin_streams_opened",
            "Alert streams opened, by whether a cursor was brought and served.",
            ["transport", "start"],
            registry=r,
        )
        self.streams_closed = Counter(
            "tocsin_streams_closed", "Alert streams ended.", ["transport", "reason"], registry=r
        )
        self.events_delivered = Counter(
            "tocsin_events_delivered", "Alert events handed to a connection.", ["transport"], registry=r
        )
        self.queue_overflows = Counter(
            "tocsin_subscriber_queue_overflows",
            "Subscribers sent back to the log because their queue was full.",
            registry=r,
        )
        self.catch_up_pages = Counter("tocsin_catch_up_pages", "Pages of the log read for a subscriber.", registry=r)
        self.limits_hit = Counter(
            "tocsin_limits_hit", "Connections and streams refused because of a limit.", ["limit"], registry=r
        )
        self.loop_lag = Histogram(
            "tocsin_loop_lag_seconds",
            "How late the event loop came back to a timer: how long something else has held it.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0),
            registry=r,
        )
        self.log_head = Gauge("tocsin_alert_log_head", "Position up to which this node has fanned out.", registry=r)
        self.alert_events = Counter(
            "tocsin_alert_events", "Events written to the alert log.", ["event", "tier"], registry=r
        )
        self.raise_to_acknowledge = Histogram(
            "tocsin_raise_to_acknowledge_seconds",
            "From raising an alert to a person's acknowledgement.",
            buckets=(5, 10, 15, 30, 60, 90, 120, 180, 300, 600, 1800),
            registry=r,
        )
        self.escalations = Counter("tocsin_escalations", "Escalation steps acted on.", ["step"], registry=r)
        self.escalation_delay = Histogram(
            "tocsin_escalation_delay_seconds",
            "How long after it was due an escalation fired.",
            buckets=_LATENCY_BUCKETS,
            registry=r,
        )
        self.escalations_late = Counter(
            "tocsin_escalations_late", "Escalations that fired more than 5 s after they were due.", registry=r
        )
        self.vitals_readings = LoopCounter("tocsin_vitals_readings", "Readings accepted.", "type", registry=r)
        self.vitals_duplicates = Counter("tocsin_vitals_duplicates", "Readings that had been sent before.", registry=r)
        self.vitals_refused = Counter(
            "tocsin_vitals_frames_refused", "Vitals frames answered with an error.", ["code"], registry=r
        )
        self.vitals_missing = Counter(
            "tocsin_vitals_frames_missing", "Numbers that devices have left out, as far as noticed at once.", registry=r
        )
        self.vitals_reordered = Counter(
            "tocsin_vitals_frames_reordered", "Missing frames that came late after all.", registry=r
        )
        self.vitals_repeated = Counter(
            "tocsin_vitals_frames_repeated", "Frames whose number had been there before.", registry=r
        )
        self.vitals_restarts = Counter(
            "tocsin_vitals_sequence_restarts", "Devices that began to number their frames anew.", registry=r
        )
        self.vitals_dropped = Counter(
            "tocsin_vitals_frames_dropped", "Waveform frames dropped before they were read, by overload.", registry=r
        )
        self.vitals_slow_downs = Counter("tocsin_vitals_slow_downs", "Devices asked to slow down.", registry=r)
        self.vitals_unruled = Counter(
            "tocsin_vitals_unruled", "Readings stored, but not ruled on because the rules failed.", registry=r
        )
        self.devices_expected = Gauge(
            "tocsin_devices_expected", "Devices that should be sending, in the whole ward.", registry=r
        )
        self.devices_silent = Gauge("tocsin_devices_silent", "Of these, those whose silence is alarmed.", registry=r)
        self.rules_reloads = Counter(
            "tocsin_rules_reloads", "Times that the rules were read again.", ["result"], registry=r
        )
        self.readings_pruned = Counter(
            "tocsin_readings_pruned", "Stored readings deleted because they were too old.", registry=r
        )
        self.strips = Counter(
            "tocsin_strips",
            "Strips of alerts: begun, completed, failed to be written, and given up.",
            ["result"],
            registry=r,
        )
        self.ecg_beats = Counter("tocsin_ecg_beats", "Heart beats found in ECGs.", registry=r)
        self.ecg_skipped = Counter(
            "tocsin_ecg_skipped", "ECG frames not examined, and rates not told, for want of time.", ["what"], registry=r
        )
        self.limit_changes = Counter(
            "tocsin_limit_changes", "Changes of the alarm limits of a patient or a unit.", ["of"], registry=r
        )
        self.limits_passed_over = Counter(
            "tocsin_limits_passed_over",
            "Limits that people had set and that did not fit the rules when they were taken up.",
            registry=r,
        )
        self.viewer_frames_dropped = Counter(
            "tocsin_viewer_frames_dropped", "Live vitals frames dropped for viewers that could not keep up.", registry=r
        )
        self.requests_refused = Counter(
            "tocsin_requests_refused", "Requests answered with an error.", ["code"], registry=r
        )
        self.sign_ins = Counter("tocsin_sign_ins", "Sign-in attempts.", ["result"], registry=r)
        self.worker_failures = Counter(
            "tocsin_worker_failures", "Background workers that were started again.", ["worker"], registry=r
        )

    def render(self) -> bytes:
        """The metrics in the Prometheus text format."""
        return generate_latest(self.registry)
