"""The nearest vectors, from Milvus."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from servers.conversation_search.store import Limits, Near, Scope
from servers.runtime.milvus import COLLECTION, Milvus, open_milvus
from servers.runtime.settings import Settings

THREADS = 4
MOST_CONVERSATIONS = 1000
"""Conversations of one filter. Whoever takes part in more is shown what lies in the latest ones by
meaning, and in all by words."""


@asynccontextmanager
async def open_nearest(settings: Settings) -> AsyncIterator["MilvusNearest"]:
    """The vectors of the settings' Milvus."""
    async with open_milvus(settings, threads=THREADS) as milvus:
        yield MilvusNearest(milvus)


class MilvusNearest:
    """Reads the collection that production memory writes."""

    def __init__(self, milvus: Milvus) -> None:
        self._milvus = milvus

    async def nearest(
        self, tenant_id: str, vector: Sequence[float], scope: Scope, limits: Limits, most: int
    ) -> Near:
        """See the protocol. While nothing was written yet there is nothing near."""
        only = expression(tenant_id, scope, limits)
        return Near(await self._milvus.nearest(COLLECTION, vector, only, most))

    async def ping(self) -> None:
        """See the protocol."""
        await self._milvus.ping()


def expression(tenant_id: str, scope: Scope, limits: Limits) -> str:
    """The filter, in Milvus' language."""
    conversations = list(scope.conversation_ids[:MOST_CONVERSATIONS])
    parts = [
        f"tenant_id == {json.dumps(tenant_id)}",
        f"conversation_id in {json.dumps(conversations)}",
        f"created_at_ms >= {_milliseconds(limits.since)}",
        f"created_at_ms < {_milliseconds(limits.until)}",
    ]
    if limits.roles:
        parts.append(f"role in {json.dumps(list(limits.roles))}")
    return " and ".join(parts)


def _milliseconds(moment: Any) -> int:
    return int(moment.timestamp() * 1000)
