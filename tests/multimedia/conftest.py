"""A multimedia server with file attachment and the model factory beside it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from tests.hosting import Somebody, hosting, settings_for
from tests.multimedia.media import Media
from tests.upstream.server import Upstream

MODELS = """
[providers.eyes]
kind = "openai"
base_url = "{url}"

[[providers.eyes.models]]
id = "seer"
sees = true

[[providers.eyes.models]]
id = "blind"
"""
FILES = """
[media]
megapixels = 20
pages = 3

[caption]
model = "eyes/seer"
"""


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def eyes() -> AsyncIterator[Upstream]:
    """A provider whose models see."""
    async with Upstream() as upstream:
        yield upstream


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def media_server(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory, eyes: Upstream
) -> AsyncIterator[Media]:
    """One server for all tests."""
    folder = tmp_path_factory.mktemp("multimedia")
    (folder / "files.toml").write_text(FILES)
    (folder / "models.toml").write_text(MODELS.format(url=eyes.base_url))
    names = ("multimedia", "file_attachment", "model_factory")
    async with hosting(settings_for(stores, folder), *names) as wiring:
        yield Media(wiring, Somebody())


@pytest.fixture
def media(media_server: Media) -> Iterator[Media]:
    """The server in the hands of a new user in a new tenant."""
    mine = Media(media_server.wiring, Somebody())
    with mine.somebody.acts(mine.wiring):
        yield mine
