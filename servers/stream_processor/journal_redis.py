"""Streams in Redis: one Redis stream each, one entry for each Append.

The id of an entry is `epoch-index`, so the last entry is the whole bookkeeping: what is written
and how far it goes change in one step, and a place in the stream is a place in Redis.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from redis.asyncio import Redis

from servers.runtime.gathering import Gathering
from servers.runtime.redis import tenant_key
from servers.runtime.redis_script import Script
from servers.runtime.resources import Resource
from servers.stream_processor.journal import StreamKey
from servers.stream_processor.retention import lapses_in
from servers.stream_processor.sequence import Entry, Mark

APPEND = Script(Path(__file__).with_name("append.lua").read_text())
APPEND_SECONDS = 1.0
"""Longest wait for an append, from when it has left."""
MOST_APPENDS = 200
"""Most streams of one command: while it runs, about a millisecond, Redis does nothing else."""
MOST_ENTRIES = 500
"""Most entries of one stream that one look for news brings."""


class _Append(NamedTuple):
    key: StreamKey
    after: Mark | None
    entries: Sequence[Entry]


class RedisJournal:
    """A journal that outlives the process. A stream lapses `ttl` seconds after its last entry, or
    after the time until which that one waits."""

    def __init__(self, redis: Resource[Redis], ttl: int) -> None:
        self._redis = redis
        self._ttl = ttl
        self._appends = Gathering(self._append_all, MOST_APPENDS)

    async def append(
        self, key: StreamKey, after: Mark | None, entries: Sequence[Entry]
    ) -> Mark | None:
        """See Journal. Appends to different streams that come at the same time are one command:
        the price of a command is paid by all of them."""
        return await self._appends.ask(_Append(key, after, entries))

    async def _append_all(self, appends: Sequence[_Append]) -> list[Mark | None]:
        redis = await self._redis.get()
        keys = [_key(append.key) for append in appends]
        words: list[Any] = []
        for append in appends:
            words.append(lapses_in(append.entries[-1], time.time_ns(), self._ttl))
            words += _id(append.after) if append.after else "", len(append.entries)
            for entry in append.entries:
                words += _id(entry.mark), *_fields(entry)
        async with asyncio.timeout(APPEND_SECONDS):
            answers = await APPEND.run(redis, keys, words)
        return [_stands(*each) for each in zip(appends, answers, strict=True)]

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


def _stands(append: _Append, answer: Any) -> Mark | None:
    if answer == 1:
        return append.entries[-1].mark
    return _mark(*answer) if answer else None


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
