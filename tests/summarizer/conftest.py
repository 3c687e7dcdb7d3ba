"""A summarizer on real stores, with the real embedder."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from servers.runtime.settings import Settings
from tests.hosting import hosting, settings_for
from tests.summarizer.study import Study

SERVERS = ("summarizer", "production_memory", "model_factory")


@pytest.fixture(scope="package")
def store_settings(stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings that name the stores of the session; conversations rest soon."""
    settings = settings_for(stores, tmp_path_factory.mktemp("summarizer"))
    return settings.model_copy(update={"summary_turns": 3, "summary_rest_seconds": 2.0})


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def study_servers(store_settings: Settings) -> AsyncIterator[Study]:
    """Gone with its package: another one on the same stores would take its tasks."""
    async with hosting(store_settings, *SERVERS) as wiring:
        yield (study := Study(wiring))
        await study.close()


@pytest.fixture
def study(study_servers: Study) -> Iterator[Study]:
    """The servers, in the hands of a new user in a new tenant."""
    mine = study_servers.as_somebody()
    mine.channels = study_servers.channels
    with mine.somebody.acts(mine.wiring):
        yield mine
