"""The nearest vectors, from Milvus."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from servers.conversation_search.store import Limits, Near, Scope
from servers.runtime.milvus import COLLECTION, FILES_COLLECTION, Milvus, open_milvus, quoted
from servers.runtime.settings import Settings

THREADS = 4
MOST_CONVERSATIONS = 1000
"""Conversations of one filter. Whoever takes part in more is shown what lies in the latest ones by
meaning, and in all by words."""
MOST_FILES = 1000
"""The same for files."""
ROOM = 30
"""For summaries, which stand in the same collection: there is one for some twenty messages."""
SUMMARY = "summary"
"""The role with which they stand there."""


@asynccontextmanager
async def open_nearest(settings: Settings) -> AsyncIterator["MilvusNearest"]:
    """The vectors of the settings' Milvus."""
    async with open_milvus(settings, threads=THREADS) as milvus:
        yield MilvusNearest(milvus)


class MilvusNearest:
    """Reads the collections that production memory writes."""

    def __init__(self, milvus: Milvus) -> None:
        self._milvus = milvus

    async def nearest(
        self, tenant_id: str, vector: Sequence[float], scope: Scope, limits: Limits, most: int
    ) -> Near:
        """See the protocol. One search finds both. Where summaries have taken the places of
        messages, which is rare, these are looked for once more, alone."""
        only = expression(tenant_id, scope, limits)
        found = await self._milvus.nearest(COLLECTION, vector, only, most + ROOM)
        near = parted(found, most)
        if len(near.cosines) < most and len(found) == most + ROOM:
            alone = f"{only} and role != {quoted(SUMMARY)}"
            messages = await self._milvus.nearest(COLLECTION, vector, alone, most)
            near = Near(messages, near.summaries)
        return near

    async def nearest_pieces(
        self, tenant_id: str, vector: Sequence[float], file_ids: Sequence[str], most: int
    ) -> dict[str, float]:
        """See the protocol."""
        files = quoted(list(file_ids[:MOST_FILES]))
        only = f"tenant_id == {quoted(tenant_id)} and file_id in {files}"
        return await self._milvus.nearest(FILES_COLLECTION, vector, only, most)

    async def ping(self) -> None:
        """See the protocol."""
        await self._milvus.ping()


def parted(found: Mapping[str, float], most: int) -> Near:
    """Messages, at most so many, and summaries, by what their ids begin with."""
    summaries = {each: cosine for each, cosine in found.items() if each.startswith("sum_")}
    messages = [(each, cosine) for each, cosine in found.items() if each not in summaries]
    return Near(dict(messages[:most]), summaries)


def expression(tenant_id: str, scope: Scope, limits: Limits) -> str:
    """The filter, in Milvus' language."""
    conversations = list(scope.conversation_ids[:MOST_CONVERSATIONS])
    parts = [
        f"tenant_id == {quoted(tenant_id)}",
        f"conversation_id in {quoted(conversations)}",
        f"created_at_ms >= {_milliseconds(limits.since)}",
        f"created_at_ms < {_milliseconds(limits.until)}",
    ]
    if limits.roles:
        parts.append(f"role in {quoted(list(limits.roles))}")
    return " and ".join(parts)


def _milliseconds(moment: Any) -> int:
    return int(moment.timestamp() * 1000)
