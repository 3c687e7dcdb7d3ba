"""Conversation search on real stores, with the servers that write what it finds and the real
embedder."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from tests.conversation_search.library import Library
from tests.hosting import hosting, settings_for

SERVERS = ("conversation_search", "production_memory", "conversation_manager", "model_factory")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def library_servers(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Library]:
    """Gone with its package: another production memory on the same stores takes its jobs."""
    settings = settings_for(stores, tmp_path_factory.mktemp("conversation_search"))
    async with hosting(settings, *SERVERS) as wiring:
        yield Library(wiring)


@pytest.fixture
def library(library_servers: Library) -> Iterator[Library]:
    """The servers of the session, in the hands of a new user in a new tenant."""
    with (mine := library_servers.as_somebody()).somebody.acts(mine.wiring):
        yield mine
