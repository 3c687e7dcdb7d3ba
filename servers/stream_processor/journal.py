"""What every journal of streams does, wherever it keeps them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from servers.stream_processor.sequence import Entry, Mark


class StreamKey(NamedTuple):
    """Which stream of which tenant. Streams of other tenants do not exist."""

    tenant_id: str
    stream_id: str


class Journal(Protocol):
    """Keeps streams as entries, in order. Several writers may try; only one is ahead."""

    async def append(
        self, key: StreamKey, after: Mark | None, entries: Sequence[Entry]
    ) -> Mark | None:
        """Adds all entries in one step if the stream stands at `after` (None: if there is no such
        stream), else nothing. Gives where the stream stands now; None if there is none."""
        ...

    async def read(self, key: StreamKey, after: Mark | None = None) -> list[Entry] | None:
        """The entries behind a mark, of all without one; None if there is no such stream."""
        ...

    async def news(
        self, marks: Mapping[StreamKey, Mark], seconds: float | None
    ) -> Mapping[StreamKey, Sequence[Entry]]:
        """Waits until a stream has entries behind its mark, and gives them. Empty when the time is
        over; with None it may also be empty because a stream was dropped."""
        ...
