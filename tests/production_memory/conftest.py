"""A production memory on real stores, with an embedder beside it."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from servers.runtime.settings import Settings
from tests.hosting import Somebody, hosting, settings_for
from tests.production_memory.embedder import Embedder
from tests.production_memory.memory import Memory


@pytest.fixture(scope="session")
def store_settings(stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings that name the stores of the session."""
    return settings_for(stores, tmp_path_factory.mktemp("production_memory"))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def memory_server(store_settings: Settings) -> AsyncIterator[Memory]:
    """Gone with its package: another one on the same stores would take its jobs."""
    embedder = Embedder()
    async with hosting(store_settings, "production_memory", others=[embedder.hosted()]) as wiring:
        yield Memory(wiring, embedder, Somebody())


@pytest.fixture
def memory(memory_server: Memory) -> Iterator[Memory]:
    """The server of the session, in the hands of a new user in a new tenant."""
    with (mine := memory_server.as_somebody()).somebody.acts(mine.wiring):
        yield mine


@pytest_asyncio.fixture
async def owner(stores: EmbeddedStores) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the owner of the tables, who ran the migrations."""
    connection = await asyncpg.connect(stores.postgres_url)
    yield connection
    await connection.close()
