"""The context integrator on real stores, with the servers that it asks and the real embedder."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from kari.model_factory.v1.model_factory_pb2 import EmbedRequest
from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceStub
from tests.context_integrator.desk import Desk
from tests.conversation_search.library import Library
from tests.hosting import hosting, settings_for

SERVERS = (
    "context_integrator",
    "memory_processor",
    "conversation_search",
    "production_memory",
    "conversation_manager",
    "model_factory",
)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def desk_servers(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    """Gone with its package: another production memory on the same stores takes its jobs."""
    settings = settings_for(stores, tmp_path_factory.mktemp("context_integrator"))
    async with hosting(settings, *SERVERS) as wiring:
        # The embedder is loaded when first asked, which is longer than a context waits.
        models = wiring.stub("production_memory", "model_factory", ModelFactoryServiceStub)
        await models.Embed(EmbedRequest(texts=["hello"]))
        yield Desk(Library(wiring))


@pytest.fixture
def desk(desk_servers: Desk) -> Iterator[Desk]:
    """The servers of the session, in the hands of a new user in a new tenant."""
    mine = desk_servers.as_somebody()
    with mine.library.somebody.acts(mine.library.wiring):
        yield mine
