"""Earlier turns and summaries of a conversation, from real servers and stores."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from kari.conversation_models.v1.context_pb2 import MemorySource
from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.summary_pb2 import (
    ConversationSummary,
    MessageRange,
    SummaryKind,
)
from kari.memory_processor.v1.memory_processor_pb2 import RetrieveRequest, RetrieveResponse
from kari.memory_processor.v1.memory_processor_pb2_grpc import MemoryProcessorServiceStub
from kari.production_memory.v1.production_memory_pb2 import WriteSummaryRequest
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from tests.breakable_stores import BreakableStores
from tests.conversation_search.library import Library
from tests.hosting import Somebody, hosting

SERVERS = ("memory_processor", "production_memory", "conversation_manager", "model_factory")
LONG_TERM = MemorySource.MEMORY_SOURCE_LONG_TERM
LINES = [f"Ada: apples are discussed, part {n}" for n in range(24)]


async def retrieved(library: Library, conversation_id: str) -> RetrieveResponse:
    """What long-term memory has of apples."""
    stub = library.wiring.stub("context_integrator", "memory_processor", MemoryProcessorServiceStub)
    return await stub.Retrieve(
        RetrieveRequest(
            conversation_id=conversation_id,
            through_sequence=len(LINES),
            limit=100,
            query="what about apples",
            sources=[LONG_TERM],
        )
    )


async def summarized(library: Library, conversation_id: str, ids: list[str]) -> None:
    """A summary of all of it."""
    stub = library.wiring.stub("summarizer", "production_memory", ProductionMemoryServiceStub)
    await stub.WriteSummary(
        WriteSummaryRequest(
            summary=ConversationSummary(
                conversation_id=conversation_id,
                kind=SummaryKind.SUMMARY_KIND_EPISODIC,
                summary="All about apples.",
                message_range=MessageRange(
                    first_message_id=ids[0],
                    last_message_id=ids[-1],
                    first_sequence=1,
                    last_sequence=len(ids),
                ),
            )
        )
    )


async def test_without_milvus_summaries_are_there_and_the_rest_is_said(tmp_path: Path) -> None:
    """Killed or hanging: what needs no vectors does not wait for them."""
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(BreakableStores(tmp_path))
        wiring = await stack.enter_async_context(hosting(stores.settings(), *SERVERS))
        library = Library(wiring, Somebody())
        stack.enter_context(library.somebody.acts(wiring))
        conversation = await library.conversation()
        await summarized(library, conversation, await library.said(conversation, *LINES))
        await library.indexed(len(LINES) + 1)
        while not any(
            item.HasField("message") for item in (await retrieved(library, conversation)).items
        ):
            await asyncio.sleep(0.1)
        await stores.kill("milvus")
        await without(library, conversation)
        await stores.start("milvus")
        while (await retrieved(library, conversation)).degradations:
            await asyncio.sleep(0.1)
        stores.freeze("milvus")
        await without(library, conversation)


async def without(library: Library, conversation_id: str) -> None:
    """The summary alone, and what is missing."""
    found = await retrieved(library, conversation_id)
    assert [item.summary.summary for item in found.items] == ["All about apples."]
    assert [d.feature for d in found.degradations] == [Feature.FEATURE_LONG_TERM_MEMORY]
    assert not found.sources[0].skipped
