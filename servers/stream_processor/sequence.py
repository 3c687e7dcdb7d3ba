"""How a stream grows.

A mark says how far a stream has come. Its index counts every event that the writer gave, its seq
those that readers get: what is left out takes an index and no seq. So no seq exceeds its index.
Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kari.conversation_models.v1.turn_pb2 import StreamPosition, TurnEvent
from kari.errors.v1.errors_pb2 import Reason
from kari.stream_processor.v1.stream_processor_pb2 import AppendRequest
from servers.runtime.errors import Conflict
from servers.stream_processor.filtering import is_final, kept, waits_until

MOST_BYTES = 8 * 1024 * 1024
"""Most bytes of events in one stream: about 300,000 deltas."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a stream has come. `epoch` is the life of its journal, in milliseconds since 1970
    when it began; `index` and `seq` are those of the last event, 0 if there is none."""

    epoch: int
    index: int = 0
    seq: int = 0
    ended: bool = False
    size: int = 0

    def at(self, other: "Mark") -> bool:
        """True if both say the same place of the same journal."""
        return (self.epoch, self.index) == (other.epoch, other.index)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one Append left behind. `mark` is the place after it; `payload` holds its events
    without places, as a serialized AppendRequest; `created_at` is in nanoseconds since 1970, and so
    is `waits_until`: the stream goes on after that at the latest. It is not written down."""

    mark: Mark
    payload: bytes = b""
    correlation_id: str = ""
    created_at: int = 0
    waits_until: int = 0


def opening(created_at: int) -> Entry:
    """The entry with which a journal begins its life."""
    return Entry(Mark(epoch=created_at // 1_000_000), created_at=created_at)


def following(
    mark: Mark,
    first_index: int,
    events: Sequence[TurnEvent],
    *,
    expose_reasoning: bool,
    correlation_id: str,
    created_at: int,
) -> Entry | None:
    """The entry that `events` make behind `mark`; None if the stream has all of them. Conflict if
    they leave a gap, come after the last event, or are more than a stream holds."""
    _require_no_gap(mark, first_index)
    new = events[mark.index + 1 - first_index :]
    if not new:
        return None
    if mark.ended or any(is_final(event) for event in new[:-1]):
        raise Conflict(Reason.REASON_TURN_ENDED, "the stream has its last event already")
    visible = kept(new, expose_reasoning=expose_reasoning)
    payload = AppendRequest(events=visible).SerializeToString()
    after = Mark(
        epoch=mark.epoch,
        index=mark.index + len(new),
        seq=mark.seq + len(visible),
        ended=is_final(new[-1]),
        size=mark.size + len(payload),
    )
    _require_room(after)
    return Entry(after, payload, correlation_id, created_at, waits_until(visible))


def numbered(stream_id: str, entry: Entry, after_seq: int = 0) -> Iterator[TurnEvent]:
    """The events of an entry behind a seq, each with its place, correlation id and time."""
    events = AppendRequest.FromString(entry.payload).events
    seq = entry.mark.seq - len(events)
    for event in events:
        seq += 1
        if seq > after_seq:
            place, at = event.position, event.created_at
            place.stream_id, place.epoch, place.seq = stream_id, entry.mark.epoch, seq
            at.seconds, at.nanos = divmod(entry.created_at, 10**9)
            event.correlation_id = entry.correlation_id
            yield event


def waits_after(entry: Entry) -> int:
    """Until when the turn waits for its user whose stream ends with this entry; see `Entry`. Read
    from what is written, for entries of other processes."""
    return waits_until(AppendRequest.FromString(entry.payload).events)


def text_of(entries: Sequence[Entry]) -> str:
    """The text of all deltas, joined."""
    return "".join(
        event.delta.text
        for entry in entries
        for event in AppendRequest.FromString(entry.payload).events
        if event.HasField("delta")
    )


def new_deltas(mark: Mark, first_index: int, events: Sequence[TurnEvent]) -> int:
    """How many pieces of answer text are among those events that the stream does not have."""
    return sum(event.HasField("delta") for event in events[mark.index + 1 - first_index :])


def position(stream_id: str, epoch: int, seq: int) -> StreamPosition:
    """A place in a stream as clients see it."""
    return StreamPosition(stream_id=stream_id, epoch=epoch, seq=seq)


def _require_no_gap(mark: Mark, first_index: int) -> None:
    if first_index > mark.index + 1:
        raise Conflict(
            Reason.REASON_STREAM_GAP,
            f"the next event has index {mark.index + 1}; open the stream and go on from there",
            next_index=mark.index + 1,
        )


def _require_room(mark: Mark) -> None:
    if mark.size > MOST_BYTES:
        raise Conflict(
            Reason.REASON_TOO_LARGE,
            "the stream holds as many events as a stream may",
            limit_bytes=MOST_BYTES,
        )
