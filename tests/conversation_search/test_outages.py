"""Something that search needs is away: it finds what it can and says what it did without."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.search_pb2 import SearchWay
from kari.conversation_search.v1.conversation_search_pb2 import SearchResponse
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.settings import Placement
from tests.breakable_stores import BreakableStores
from tests.conversation_search.conftest import SERVERS
from tests.conversation_search.library import Library
from tests.hosting import Somebody, hosting
from tests.production_memory.memory import refusal

NO_MILVUS = Degradation(feature=Feature.FEATURE_SEMANTIC_RECALL, cause="milvus")
NO_EMBEDDER = Degradation(feature=Feature.FEATURE_SEMANTIC_RECALL, cause="model_factory")


async def opened(stack: AsyncExitStack, path: Path) -> tuple[BreakableStores, Library, str]:
    """Stores, the servers on them, and a conversation about apples."""
    stores = await stack.enter_async_context(BreakableStores(path))
    wiring = await stack.enter_async_context(hosting(stores.settings(), *SERVERS))
    library = Library(wiring, Somebody())
    stack.enter_context(library.somebody.acts(wiring))
    conversation = await library.conversation()
    await library.said(conversation, "Ada: apples", "Ben: pears")
    return stores, library, conversation


async def test_without_milvus_words_alone_are_searched_and_that_is_said(tmp_path: Path) -> None:
    """Killed, hanging, and back again."""
    async with AsyncExitStack() as stack:
        stores, library, _ = await opened(stack, tmp_path)
        await library.indexed(2)
        assert not (await library.search("apples")).degradations
        await stores.kill("milvus")
        found = await library.search("apples")
        assert found.results[0].content == "apples"
        assert list(found.degradations) == [NO_MILVUS]
        assert not (await library.search("apples", way=SearchWay.SEARCH_WAY_FULL_TEXT)).degradations
        await stores.start("milvus")
        while (await library.search("apples")).degradations:
            await asyncio.sleep(0.1)
        stores.freeze("milvus")
        found = await library.search("apples")
        assert found.results[0].content == "apples"
        assert list(found.degradations) == [NO_MILVUS]


async def test_whoever_waits_for_a_moment_only_is_given_what_words_find(tmp_path: Path) -> None:
    """A Milvus that hangs does not use up the time of the caller."""
    async with AsyncExitStack() as stack:
        stores, library, _ = await opened(stack, tmp_path)
        await library.indexed(2)
        stores.freeze("milvus")
        found = await library.search("apples", seconds=1.0)
        assert found.results[0].content == "apples"
        assert list(found.degradations) == [NO_MILVUS]


async def test_without_an_embedder_words_alone_are_searched(tmp_path: Path) -> None:
    """Spread, the model factory has a port of its own, where nobody listens here."""
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(BreakableStores(tmp_path))
        settings = stores.settings().model_copy(update={"placement": Placement.SPREAD})
        names = ("conversation_search", "production_memory", "conversation_manager")
        wiring = await stack.enter_async_context(hosting(settings, *names))
        library = Library(wiring, Somebody())
        stack.enter_context(library.somebody.acts(wiring))
        await library.said(await library.conversation(), "Ada: apples")
        found = await library.search("apples")
        assert [result.content for result in found.results] == ["apples"]
        assert list(found.degradations) == [NO_EMBEDDER]


async def test_without_postgres_the_caller_is_told_to_try_again(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stores, library, _ = await opened(stack, tmp_path)
        await stores.kill("postgres")
        refused = await refusal(library.search("apples"))
        assert (refused.reason, refused.retryable) == (Reason.REASON_STORE_UNAVAILABLE, True)
        await stores.start("postgres")
        assert await library.texts("apples")


async def test_nothing_indexed_yet_is_no_failure(tmp_path: Path) -> None:
    """A Milvus without a collection has nothing near."""
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(BreakableStores(tmp_path))
        wiring = await stack.enter_async_context(hosting(stores.settings(), *SERVERS))
        library = Library(wiring, Somebody())
        stack.enter_context(library.somebody.acts(wiring))
        await library.conversation()
        assert await library.search("apples") == SearchResponse()
