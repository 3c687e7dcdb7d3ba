"""Asking several sources at once: who is late or fails is left out, and said."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from kari.conversation_models.v1.context_pb2 import MemoryItem, MemorySource
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.errors.v1.errors_pb2 import Reason
from servers.memory_processor.retrieval import Retrieval
from servers.memory_processor.source import Asked, Found
from servers.runtime.errors import Unavailable

ASKED = Asked("tenant", "conv", 10, 5, "what")
SHORT_TERM = MemorySource.MEMORY_SOURCE_SHORT_TERM
LONG_TERM = MemorySource.MEMORY_SOURCE_LONG_TERM
VAULT = MemorySource.MEMORY_SOURCE_VAULT


@dataclass
class Told:
    """A source that does as it is told."""

    kind: MemorySource.ValueType
    does: Callable[[], Found]
    by_meaning: bool = True
    waits: float = 0.0
    missing = Degradation(feature=Feature.FEATURE_VAULT, cause="milvus")

    async def find(self, asked: Asked) -> Found:
        """After a while."""
        await asyncio.sleep(self.waits)
        return self.does()


def items(*contents: str) -> Callable[[], Found]:
    """Finds these."""
    return lambda: Found([MemoryItem(content=content) for content in contents])


def fails(error: Exception) -> Callable[[], Found]:
    """Raises."""

    def failing() -> Found:
        raise error

    return failing


async def contents(retrieval: Retrieval, asked: Asked = ASKED) -> list[Sequence[str]]:
    """What each source gave."""
    return [[item.content for item in each.found.items] for each in await retrieval.retrieve(asked)]


async def test_a_late_source_is_not_waited_for() -> None:
    """The others' memories are there, and the report names the late one."""
    sources = [Told(SHORT_TERM, items("a"), by_meaning=False), Told(VAULT, items("b"), waits=30)]
    one, late = await Retrieval(sources, seconds=0.2).retrieve(ASKED)
    assert (one.skipped, late.skipped, late.kind) == (False, True, VAULT)
    assert [d.feature for d in late.found.degradations] == [Feature.FEATURE_VAULT]


async def test_sources_are_asked_at_once() -> None:
    """Each of them waits until all of them have been asked."""
    asked = asyncio.Barrier(3)

    class Together(Told):
        async def find(self, _: Asked) -> Found:
            await asked.wait()
            return self.does()

    sources = [Together(kind, items("x")) for kind in (SHORT_TERM, LONG_TERM, VAULT)]
    assert await contents(Retrieval(sources)) == [["x"], ["x"], ["x"]]


@pytest.mark.parametrize(
    "error",
    [
        Unavailable(Reason.REASON_STORE_UNAVAILABLE, "gone", store="milvus"),
        LookupError("KARI_MILVUS_URL is not set"),
    ],
)
async def test_a_source_that_fails_is_skipped_and_said(error: Exception) -> None:
    """Whatever is away."""
    sources = [Told(SHORT_TERM, items("a"), by_meaning=False), Told(VAULT, fails(error))]
    one, failed = await Retrieval(sources).retrieve(ASKED)
    assert [item.content for item in one.found.items] == ["a"]
    assert failed.skipped
    assert failed.found.degradations[0].cause == "milvus"


async def test_without_a_query_only_recent_turns_are_asked() -> None:
    """There is nothing to be near to."""
    sources = [Told(SHORT_TERM, items("a"), by_meaning=False), Told(VAULT, items("b"))]
    asked = Asked("tenant", "conv", 10, 5)
    assert await contents(Retrieval(sources), asked) == [["a"]]


async def test_only_the_wanted_sources_are_asked() -> None:
    """What only one of the readers may read is left out so."""
    sources = [Told(LONG_TERM, items("a")), Told(VAULT, items("b"))]
    (one,) = await Retrieval(sources).retrieve(ASKED, [LONG_TERM])
    assert one.kind == LONG_TERM


async def test_a_defect_is_no_reason_to_skip() -> None:
    """It is raised, logged and counted as the error that it is."""
    with pytest.raises(ZeroDivisionError):
        await Retrieval([Told(VAULT, fails(ZeroDivisionError()))]).retrieve(ASKED)
