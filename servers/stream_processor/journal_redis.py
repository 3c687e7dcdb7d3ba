"""Streams in Redis: one Redis stream each, one entry for each Append.

The id of an entry is `epoch-index`, so the last entry is the whole bookkeeping: what is written
and how far it goes change in one step, and a place in the stream is a place in Redis.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from servers.runtime.redis import tenant_key
from servers.runtime.resources import Resource
from servers.stream_processor.journal import StreamKey
from servers.stream_processor.sequence import Entry, Mark

APPEND = Path(__file__).with_name("append.lua").read_text()
MOST_ENTRIES = 500
"""Most entries of one stream that one look for news brings."""


class RedisJournal:
    """A journal that outlives the process. An entry lapses `ttl` seconds after the last one."""

    def __init__(self, redis: Resource[Redis], ttl: int) -> None:
        self._redis = redis
        self._ttl = ttl

    async def append(
        self, key: StreamKey, after: Mark | None, entries: Sequence[Entry]
    ) -> Mark | None:
        """See Journal."""
        script = (await self._redis.get()).register_script(APPEND)
        arguments: list[Any] = [_id(after) if after else "", self._ttl]
        for entry in entries:
            arguments += _id(entry.mark), *_fields(entry)
        stands = await script(keys=[_key(key)], args=arguments)
        return _mark(*stands) if stands else None

    async def read(self, key: StreamKey, after: Mark | None = None) -> list[Entry] | None:
        """See Journal."""
        first = f"({_id(after)}" if after else "-"
        async with (await self._redis.get()).pipeline(transaction=True) as pipeline:
            pipeline.exists(_key(key))
            pipeline.xrange(_key(key), min=first)
            exists, found = await pipeline.execute()
        return [_entry(*one) for one in found] if exists else None

    async def news(
        self, marks: Mapping[StreamKey, Mark], seconds: float | None
    ) -> Mapping[StreamKey, Sequence[Entry]]:
        """See Journal. One command whatever the number of streams; a stream that was dropped is not
        noticed. The wait has to be shorter than the client's timeout of two seconds."""
        if not marks:
            return {}
        names = {_key(key).encode(): key for key in marks}
        found = await (await self._redis.get()).xread(
            {_key(key): _id(mark) for key, mark in marks.items()},
            count=MOST_ENTRIES,
            block=None if seconds is None else max(1, int(seconds * 1000)),
        )
        return {names[name]: [_entry(*one) for one in entries] for name, entries in _items(found)}


def _key(key: StreamKey) -> str:
    return tenant_key(key.tenant_id, "stream", key.stream_id)


def _id(mark: Mark) -> str:
    return f"{mark.epoch}-{mark.index}"


def _fields(entry: Entry) -> tuple[Any, ...]:
    mark = entry.mark
    place = (mark.seq, int(mark.ended), mark.size)
    return (*place, entry.created_at, entry.correlation_id, entry.payload)


def _entry(id_: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    return Entry(
        _mark(id_, fields[b"seq"], fields[b"ended"], fields[b"size"]),
        payload=fields[b"events"],
        correlation_id=fields[b"correlation"].decode(),
        created_at=int(fields[b"at"]),
    )


def _mark(id_: bytes, seq: bytes, ended: bytes, size: bytes) -> Mark:
    epoch, _, index = id_.partition(b"-")
    return Mark(int(epoch), int(index), int(seq), ended == b"1", int(size))


def _items(found: Any) -> Any:
    """Pairs of name and entries; RESP3 gives a mapping whose entries are in a list of their own."""
    if isinstance(found, dict):
        return ((name, entries[0]) for name, entries in found.items())
    return found or ()
