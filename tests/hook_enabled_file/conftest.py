"""The way in for files, before real servers; pictures alone are seen by a stand-in."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from servers.hook_enabled_file import rooms
from servers.runtime.limited import Room
from tests.hook_enabled_file.asked import shelved
from tests.hook_enabled_file.intake import Intake
from tests.hook_enabled_file.peers import multimedia
from tests.hosting import hosting, settings_for
from tests.production_memory.embedder import Embedder

SERVERS = (
    *("hook_enabled_file", "file_attachment", "production_memory", "summarizer"),
    *("capsules", "audit"),
)
FILES = """
[limits.everybody]
max_megabytes = 40

[hooks.archives]
encrypted = "refuse"

[hooks.text]
pages = 300

[[hooks.policy.rules]]
name = "names of projects"
words = ["Zeppelin"]
tenants = ["careful"]

[[hooks.own]]
name = "marks"
kind = "enrich"
rules = "{rules}"

[[hooks.own]]
name = "stops"
kind = "guard"
types = ["text/plain"]
rules = "{rules}"

[[hooks.own]]
name = "customs"
kind = "guard"
types = ["text/csv"]
capsule = "capsule.customs"

[[hooks.own]]
name = "labels"
kind = "enrich"
types = ["text/csv", "text/html"]
capsule = "capsule.labels"

[[hooks.own]]
name = "breaks"
kind = "enrich"
types = ["text/html"]
capsule = "capsule.breaks"

[[hooks.own]]
name = "fails"
kind = "guard"
types = ["application/rtf", "text/rtf"]
capsule = "capsule.breaks"
text = false
"""
OWN = 'rule invoice { meta: reason = "an invoice" strings: $a = "Invoice no." condition: $a }'


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def intake_server(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Intake]:
    """One server for all tests."""
    folder = tmp_path_factory.mktemp("hook_enabled_file")
    (folder / "own.yar").write_text(OWN)
    (folder / "files.toml").write_text(FILES.replace("{rules}", str(folder / "own.yar")))
    others = [Embedder().hosted(), multimedia()]
    shelved(folder / "shelf")
    settings = settings_for(stores, folder).model_copy(update={"capsules": str(folder / "shelf")})
    async with hosting(settings, *SERVERS, others=others) as wiring:
        yield Intake(wiring)


@pytest.fixture
def intake(intake_server: Intake) -> Iterator[Intake]:
    """The server in the hands of a new user in a new tenant."""
    mine = Intake(intake_server.wiring)
    with mine.somebody.acts(mine.wiring):
        yield mine


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def room() -> AsyncIterator[Room]:
    """A room for readers, as the server has one."""
    opened = rooms.opened()
    yield opened
    await opened.close()
