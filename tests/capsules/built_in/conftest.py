"""The capsules of Kari among all the servers that they use, with a scripted capable model."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from servers.wiring import Wiring
from tests.capsules.built_in.desk import MODEL, Desk
from tests.hosting import hosting, settings_for
from tests.upstream.server import Upstream

SERVERS = (
    "capsules",
    "tool_integration",
    "model_factory",
    "memory_processor",
    "conversation_search",
    "conversation_manager",
    "production_memory",
    "audit",
)
MODELS = """\
[providers.far]
kind = "openai"
base_url = "{url}"
models = [{{ id = "{model}" }}]

[routing]
default = "far/{model}"

[retry]
attempts = 1
"""


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def upstream() -> AsyncIterator[Upstream]:
    """The provider of the capable model."""
    async with Upstream() as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def servers(
    stores: EmbeddedStores, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Wiring]:
    """Gone with its package: another production memory on the same stores takes its jobs."""
    data = tmp_path_factory.mktemp("built_in")
    (data / "models.toml").write_text(MODELS.format(url=upstream.base_url, model=MODEL))
    (folder := data / "outside").mkdir()
    settings = settings_for(stores, data).model_copy(update={"capsules": str(folder)})
    async with hosting(settings, *SERVERS) as wiring:
        yield wiring


@pytest_asyncio.fixture
async def desk(servers: Wiring, upstream: Upstream) -> AsyncIterator[Desk]:
    """A new user in a new tenant, with a conversation of their own."""
    made = Desk(servers, servers.settings.capsule_folders[0], upstream=upstream)
    await made.begin()
    yield made
    made.clear()
