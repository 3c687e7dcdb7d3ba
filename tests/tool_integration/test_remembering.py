"""Searches of conversations and memories, over the real servers: the user's own, and no others."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from kari.conversation_models.v1.memory_pb2 import MemoryKind
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import RememberRequest
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from servers.runtime.ids import new_id
from tests.conversation_search.library import Library
from tests.hosting import hosting, settings_for, until
from tests.tool_integration.bench import Bench

SERVERS = (
    *("tool_integration", "audit", "conversation_search", "memory_processor"),
    *("production_memory", "conversation_manager", "model_factory"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def library(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Library]:
    settings = settings_for(stores, tmp_path_factory.mktemp("remembering"))
    async with hosting(settings, *SERVERS) as wiring:
        yield Library(wiring)


async def test_what_was_said_is_found_by_whoever_took_part(library: Library) -> None:
    """With who said it and when; nobody else finds it; one conversation alone, if told so."""
    mine = library.as_somebody()
    with mine.somebody.acts(mine.wiring):
        conversation, other = await mine.conversation(), await mine.conversation()
        await mine.said(conversation, "Ada: The parrot is called Rosalind.", "Kari: A fine name.")
    bench = Bench(mine.wiring, mine.somebody)
    found = await bench.value("conversation.search", query="parrot", since="2023-01-01")
    assert found["results"][0]["text"] == "The parrot is called Rosalind."
    assert found["results"][0]["author"] == "Ada"
    assert found["results"][0]["time"] == "2023-05-08T14:00:00+00:00"
    assert found["results"][0]["conversation_id"] == conversation
    none = await bench.value("conversation.search", query="parrot", until="2023-01-01")
    assert none["results"] == []
    said = await bench.value("conversation.search", query="fine name", role="assistant")
    assert [result["role"] for result in said["results"]] == ["assistant"]
    here = await bench.call(
        "conversation.search", {"query": "parrot", "where": "here"}, conversation_id=other
    )
    assert '"results":[]' in here.result_json
    nobody = await Bench(mine.wiring).value("conversation.search", query="parrot")
    assert nobody["results"] == []


async def test_a_conversation_of_others_is_not_searched(library: Library) -> None:
    """The peer's own refusal is the reason."""
    mine = library.as_somebody()
    with mine.somebody.acts(mine.wiring):
        conversation = await mine.conversation()
        await mine.said(conversation, "Ada: A secret.")
    result = await Bench(mine.wiring).call(
        "conversation.search", {"query": "secret", "where": "here"}, conversation_id=conversation
    )
    assert result.error.reason == Reason.REASON_CONVERSATION_NOT_FOUND


async def test_here_needs_a_conversation_and_dates_are_dates(library: Library) -> None:
    bench = Bench(library.wiring)
    for more in ({"where": "here"}, {"since": "last week"}):
        result = await bench.call("conversation.search", {"query": "x"} | more)
        assert result.error.reason == Reason.REASON_TOOL_ARGUMENTS


async def test_memories_are_found_by_their_owner_alone(library: Library) -> None:
    """By meaning, with their kinds."""
    mine = library.as_somebody()
    stub = mine.wiring.stub(
        "conversation_manager", "production_memory", ProductionMemoryServiceStub
    )
    with mine.somebody.acts(mine.wiring):
        await stub.Remember(
            RememberRequest(
                request_id=new_id("req"),
                content="The user is allergic to walnuts.",
                kind=MemoryKind.MEMORY_KIND_SEMANTIC,
            )
        )
    bench = Bench(mine.wiring, mine.somebody)

    async def found() -> Any:
        """A memory is found by meaning once its vector is there."""
        query = "Is the user allergic to walnuts?"
        return (await bench.value("memory.search", query=query))["memories"]

    (memory,) = await until(found)
    assert memory["text"] == "The user is allergic to walnuts."
    assert memory["of"] == "user"
    assert memory["kind"] == "semantic"
    others = await Bench(mine.wiring).value("memory.search", query="allergic to walnuts")
    assert others["memories"] == []
