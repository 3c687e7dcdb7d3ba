"""A file attachment server on a real Postgres and a folder."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from tests.file_attachment.attachment import Attachment
from tests.hosting import Somebody, hosting, settings_for

FILES = """
[limits.everybody]
max_megabytes = 40
quota_megabytes = 100
deny = ["application/x-executable*"]

[limits.roles."chat.files.large"]
max_megabytes = 200
quota_megabytes = 400

[limits.tenants.tight]
max_megabytes = 0.001
"""


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def attachment_server(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Attachment]:
    """One server for all tests."""
    folder = tmp_path_factory.mktemp("file_attachment")
    (folder / "files.toml").write_text(FILES)
    async with hosting(settings_for(stores, folder), "file_attachment") as wiring:
        yield Attachment(wiring, Somebody())


@pytest.fixture
def attachment(attachment_server: Attachment) -> Iterator[Attachment]:
    """The server in the hands of a new user in a new tenant."""
    mine = Attachment(attachment_server.wiring, Somebody())
    with mine.somebody.acts(mine.wiring):
        yield mine
