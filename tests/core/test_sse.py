from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.sse import SSEFieldError, encode_event, encode_keepalive

IN_ONE_LINE = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"))
BREAKS_THE_LINE = st.builds(
    "{}{}{}".format,
    IN_ONE_LINE,
    st.sampled_from(["\r", "\n", "\r\n", "\0", "\nid: 999", "\ndata: forged\n\n"]),
    IN_ONE_LINE,
)


@dataclass(frozen=True)
class Dispatched:
    type: str
    data: str
    last_event_id: str


@dataclass
class Client:
    """What `EventSource` does with the bytes: the algorithm of the HTML standard, section 9.2.6."""

    last_event_id: str = ""
    retry_ms: int | None = None
    dispatched: list[Dispatched] = field(default_factory=list)

    def feed(self, stream: bytes) -> Client:
        kind, data, event_id = "", "", self.last_event_id
        lines = stream.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert lines.pop() == "", "the stream ends within a line"
        for line in lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                self.last_event_id = event_id
                if data:
                    self.dispatched.append(Dispatched(kind or "message", data.removesuffix("\n"), event_id))
                kind = data = ""
            elif name == "event":
                kind = value
            elif name == "data":
                data += value + "\n"
            elif name == "id" and "\0" not in value:
                event_id = value
            elif name == "retry" and value.isascii() and value.isdigit():
                self.retry_ms = int(value)
        return self


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (encode_event(b"{}"), b"data: {}\n\n"),
        (encode_event(b""), b"data: \n\n"),
        (encode_event(b"{}", event_id="e1-7"), b"id: e1-7\ndata: {}\n\n"),
        (encode_event(b"{}", event="stream.ready"), b"event: stream.ready\ndata: {}\n\n"),
        (
            encode_event(b"{}", event="stream.opened", event_id="e1-7", retry_ms=3000),
            b"retry: 3000\nid: e1-7\nevent: stream.opened\ndata: {}\n\n",
        ),
        (encode_event(b"one\ntwo\r\nthree\rfour"), b"data: one\ndata: two\ndata: three\ndata: four\n\n"),
        (encode_event(b"\n"), b"data: \ndata: \n\n"),
        (encode_keepalive("e1-7"), b"id: e1-7\n: keepalive\n\n"),
    ],
    ids=["data", "empty", "id", "event", "everything", "line breaks", "break alone", "keepalive"],
)
def test_a_message_is_these_very_bytes(message: bytes, expected: bytes) -> None:
    assert message == expected


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8")), IN_ONE_LINE, IN_ONE_LINE), max_size=5))
def test_a_client_reads_back_what_was_encoded_whatever_it_holds(messages: list[tuple[str, str, str]]) -> None:
    """Fails when the data is not split at each of CR, LF and CRLF (checked by splitting at LF alone)."""
    stream = b"".join(encode_event(data.encode(), event=kind, event_id=event_id) for data, kind, event_id in messages)

    assert Client().feed(stream).dispatched == [
        Dispatched(kind or "message", data.replace("\r\n", "\n").replace("\r", "\n"), event_id)
        for data, kind, event_id in messages
    ]


@given(BREAKS_THE_LINE)
def test_no_id_and_no_event_name_can_forge_another_field(value: str) -> None:
    """Fails when CR, LF or NUL is let through (checked by taking each out of the refused ones)."""
    with pytest.raises(SSEFieldError, match="id") as refused_id:
        encode_event(b"{}", event_id=value)
    with pytest.raises(SSEFieldError, match="event") as refused_event:
        encode_event(b"{}", event=value)
    with pytest.raises(SSEFieldError):
        encode_keepalive(value)
    assert (refused_id.value.field, refused_event.value.field) == ("id", "event")


def test_a_keepalive_moves_the_last_event_id_and_dispatches_nothing() -> None:
    client = Client().feed(encode_event(b"{}", event_id="e1-7")).feed(encode_keepalive("e1-9"))

    assert client.last_event_id == "e1-9"
    assert [it.last_event_id for it in client.dispatched] == ["e1-7"]


def test_a_message_without_an_id_leaves_the_last_event_id_alone() -> None:
    client = Client().feed(encode_event(b"{}", event_id="e1-7")).feed(encode_event(b"{}"))

    assert [it.last_event_id for it in client.dispatched] == ["e1-7", "e1-7"]


def test_the_wait_before_reconnecting_reaches_the_client() -> None:
    assert Client().feed(encode_event(b"{}", event="stream.closing", retry_ms=4200)).retry_ms == 4200
