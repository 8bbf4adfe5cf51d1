from __future__ import annotations

from structlog.testing import capture_logs

from app.core.bus import InProcessBus


def test_every_subscriber_of_a_subject_gets_each_message_in_order() -> None:
    bus = InProcessBus()
    first: list[bytes] = []
    second: list[bytes] = []
    bus.subscribe("alerts.log", first.append)
    bus.subscribe("alerts.log", second.append)

    bus.publish("alerts.log", b"1")
    bus.publish("alerts.log", b"2")

    assert first == second == [b"1", b"2"]


def test_a_message_reaches_no_other_subject() -> None:
    bus = InProcessBus()
    received: list[bytes] = []
    bus.subscribe("access.changed", received.append)

    bus.publish("alerts.log", b"1")

    assert received == []


def test_a_message_that_nobody_waits_for_is_gone() -> None:
    bus = InProcessBus()
    received: list[bytes] = []

    bus.publish("alerts.log", b"1")
    bus.subscribe("alerts.log", received.append)

    assert received == []


def test_whoever_has_left_gets_nothing_more_and_is_forgotten() -> None:
    bus = InProcessBus()
    stayed: list[bytes] = []
    left: list[bytes] = []
    leave = bus.subscribe("alerts.log", left.append)
    stay = bus.subscribe("alerts.log", stayed.append)

    bus.publish("alerts.log", b"1")
    leave()
    bus.publish("alerts.log", b"2")

    assert (left, stayed) == ([b"1"], [b"1", b"2"])
    assert bus.subscriber_count() == 1
    stay()
    assert bus.subscriber_count() == 0


def test_leaving_twice_takes_nobody_elses_place() -> None:
    """Fails when a handler that is equal is taken out (checked with a list and `remove`)."""
    bus = InProcessBus()
    received: list[bytes] = []
    leave = bus.subscribe("alerts.log", received.append)
    bus.subscribe("alerts.log", received.append)

    leave()
    leave()
    bus.publish("alerts.log", b"1")

    assert received == [b"1"]


def test_one_subscribers_error_is_logged_and_keeps_the_message_from_no_other() -> None:
    """Fails when the error gets out of `publish` (checked by taking its `except` out)."""
    bus = InProcessBus()
    received: list[bytes] = []

    def fail(_message: bytes) -> None:
        raise RuntimeError("a broken subscriber")

    bus.subscribe("alerts.log", fail)
    bus.subscribe("alerts.log", received.append)

    with capture_logs() as logs:
        bus.publish("alerts.log", b"1")

    assert received == [b"1"]
    assert [(line["event"], line["subject"]) for line in logs] == [("bus.handler_failed", "alerts.log")]


def test_a_subscriber_may_leave_and_another_come_while_a_message_is_handed_out() -> None:
    """Fails when the handlers are gone through without a copy (checked so: one of them is passed over)."""
    bus = InProcessBus()
    received: list[str] = []

    def once(_message: bytes) -> None:
        received.append("once")
        leave()
        bus.subscribe("alerts.log", lambda _message: received.append("newcomer"))

    leave = bus.subscribe("alerts.log", once)
    bus.subscribe("alerts.log", lambda _message: received.append("second"))

    bus.publish("alerts.log", b"1")
    assert received == ["once", "second"]
    bus.publish("alerts.log", b"2")
    assert received == ["once", "second", "second", "newcomer"]


def test_a_bus_within_one_process_is_always_healthy() -> None:
    assert InProcessBus().is_healthy()
