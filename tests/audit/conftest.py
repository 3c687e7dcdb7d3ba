"""Stores that tests of the trail share, and break."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.breakable_stores import BreakableStores


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def trail_stores(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BreakableStores]:
    """Stores of these tests alone."""
    async with BreakableStores(tmp_path_factory.mktemp("audit"), ("postgres",)) as stores:
        yield stores
