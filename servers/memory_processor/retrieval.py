"""Asking the sources, all at once and under one deadline."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import structlog
from prometheus_client import Counter, Histogram

from kari.conversation_models.v1.context_pb2 import MemorySource
from kari.conversation_models.v1.degradation_pb2 import Degradation
from servers.memory_processor.source import Asked, Found, Source
from servers.runtime.errors import KariError
from servers.runtime.labelled import labelled
from servers.runtime.names import short

RETRIEVALS = Counter(
    "kari_chat_memory_retrieval_total", "Memories asked for.", ("source", "outcome")
)
LATENCY = Histogram(
    "kari_chat_memory_retrieval_latency_seconds", "Time to ask a source.", ("source",)
)

DEADLINE_SECONDS = 1.0
"""A source that takes longer is skipped: an answer with less memory beats a late one."""

log = structlog.get_logger("kari.memory_processor")


@dataclass(frozen=True)
class Retrieved:
    """What one source gave, and how long it took."""

    kind: MemorySource.ValueType
    found: Found
    seconds: float
    skipped: bool = False


class Retrieval:
    """The sources of memories."""

    def __init__(self, sources: Sequence[Source], seconds: float = DEADLINE_SECONDS) -> None:
        self._sources = sources
        self._seconds = seconds

    async def retrieve(
        self, asked: Asked, kinds: Sequence[MemorySource.ValueType] = ()
    ) -> list[Retrieved]:
        """What each source has, of these kinds or of all. One that is late or fails is reported and
        skipped."""
        wanted = [
            source
            for source in self._sources
            if (not kinds or source.kind in kinds) and (asked.query or not source.by_meaning)
        ]
        return list(await asyncio.gather(*(self._ask(source, asked) for source in wanted)))

    async def _ask(self, source: Source, asked: Asked) -> Retrieved:
        name, began = short(MemorySource, source.kind), time.perf_counter()
        skipped = False
        try:
            async with asyncio.timeout(self._seconds):
                found = await source.find(asked)
        except (KariError, grpc.aio.AioRpcError, TimeoutError, LookupError) as error:
            log.warning("memories are skipped", source=name, error=type(error).__name__)
            found, skipped = Found(degradations=[missing(source, error)], outcome="skipped"), True
        seconds = time.perf_counter() - began
        labelled(RETRIEVALS, name, found.outcome).inc()
        labelled(LATENCY, name).observe(seconds)
        return Retrieved(source.kind, found, seconds, skipped)


def missing(source: Source, error: BaseException) -> Degradation:
    """What is missing without a source. A peer that does not answer is the cause where the store
    itself was not reached."""
    cause = source.missing.cause
    if isinstance(error, grpc.aio.AioRpcError):
        cause = "production_memory"
    return Degradation(feature=source.missing.feature, cause=cause)
