"""The decoder of server-sent events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.model_factory.events import LARGEST, EventStream, EventTooLarge, ServerSentEvent

LINES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)
EVENTS = st.lists(st.tuples(st.sampled_from(["", "ping", "delta"]), st.lists(LINES, min_size=1)))


def written(events: list[tuple[str, list[str]]], end: str) -> bytes:
    """Events as a server writes them, with comments and unknown fields between."""
    lines = [": a comment", "retry: 10", ""]
    for name, data in events:
        lines += [f"event: {name}"] if name else []
        lines += [*(f"data: {line}" for line in data), "id: 1", ""]
    return "".join(f"{line}{end}" for line in lines).encode()


def expected(events: list[tuple[str, list[str]]]) -> list[ServerSentEvent]:
    return [ServerSentEvent(name.encode(), "\n".join(data).encode()) for name, data in events]


@given(EVENTS, st.sampled_from(["\n", "\r", "\r\n"]), st.data())
def test_events_do_not_depend_on_where_the_bytes_were_cut(
    events: list[tuple[str, list[str]]], end: str, data: st.DataObject
) -> None:
    """Any cuts, also inside characters and line ends, give what was written."""
    raw = written(events, end)
    cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=8).map(sorted))
    stream, found = EventStream(), []
    for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        found += stream.feed(raw[start:stop])
    assert found == expected(events)


@given(EVENTS)
def test_events_come_one_byte_at_a_time(events: list[tuple[str, list[str]]]) -> None:
    stream = EventStream()
    raw = written(events, "\r\n")
    found = [event for place in range(len(raw)) for event in stream.feed(raw[place : place + 1])]
    assert found == expected(events)


@given(st.lists(st.binary(max_size=50)))
def test_no_bytes_whatever_break_the_decoder(chunks: list[bytes]) -> None:
    stream = EventStream()
    for chunk in chunks:
        for event in stream.feed(chunk):
            assert isinstance(event, ServerSentEvent)


def test_an_event_is_complete_with_its_empty_line_and_not_before() -> None:
    stream = EventStream()
    assert stream.feed(b"data: x\n") == []
    assert stream.feed(b"\n") == [ServerSentEvent(b"", b"x")]


def test_a_byte_order_mark_is_read_over() -> None:
    assert EventStream().feed(b"\xef\xbb\xbfdata: x\n\n") == [ServerSentEvent(b"", b"x")]


def test_one_space_after_the_colon_is_not_data() -> None:
    found = EventStream().feed(b"data:x\n\ndata:  y\n\ndata\n\n")
    assert [event.data for event in found] == [b"x", b" y", b""]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_an_endless_event_is_refused(end: bytes) -> None:
    stream = EventStream()
    stream.feed(b"data: " + b"x" * (LARGEST - 6) + end)
    with pytest.raises(EventTooLarge):
        stream.feed(b"data: 1234567" + end)
