"""How long streams stay: in the durable journal, and in the memory of this process. Pure."""

from servers.stream_processor.sequence import Entry

IDLE_SECONDS = 60.0
"""A stream under way that the durable journal has too, after its last event."""


def kept_seconds(*, followed: bool, owed: bool, ended: bool, ttl: float) -> float:
    """How long a stream stays after its last event: as long as it can be replayed if somebody
    follows it or nobody else has it, not at all if it has ended."""
    if followed or owed:
        return ttl
    return 0.0 if ended else IDLE_SECONDS


def lapses_in(last: Entry, now: int, ttl: int) -> int:
    """Seconds after which a stream with this last entry is dropped from the durable journal. `now`
    is in nanoseconds since 1970."""
    return ttl + max(0, last.waits_until - now) // 10**9
