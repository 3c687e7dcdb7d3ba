"""Tool integration on real stores, with a real audit trail."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from servers.wiring import Wiring
from tests.hosting import hosting, settings_for
from tests.tool_integration.bench import Bench


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def tool_servers(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Wiring]:
    """Tool integration and the trail."""
    settings = settings_for(stores, tmp_path_factory.mktemp("tool_integration"))
    async with hosting(settings, "tool_integration", "audit") as wiring:
        yield wiring


@pytest.fixture
def bench(tool_servers: Wiring) -> Bench:
    """A new user in a new tenant."""
    return Bench(tool_servers)
