"""A conversation manager on real stores, with the production memory that it asks."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from tests.conversation_manager.manager import EVERY_ROLE, Manager
from tests.hosting import Somebody, hosting, settings_for
from tests.production_memory.embedder import Embedder


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def manager_server(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Manager]:
    """Gone with its package: another production memory on the same stores takes its jobs."""
    settings = settings_for(stores, tmp_path_factory.mktemp("conversation_manager"))
    names = ("conversation_manager", "production_memory")
    async with hosting(settings, *names, others=[Embedder().hosted()]) as wiring:
        yield Manager(wiring, Somebody())


@pytest.fixture
def manager(manager_server: Manager) -> Iterator[Manager]:
    """The server of the session, in the hands of a new user, with every role, in a new tenant."""
    mine = Manager(manager_server.wiring, Somebody(roles=EVERY_ROLE))
    with mine.somebody.acts(mine.wiring):
        yield mine
