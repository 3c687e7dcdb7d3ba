"""A part that files need is away: the turn goes on and says what it was made without."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from tests.context_integrator.conftest import SERVERS
from tests.context_integrator.desk import Desk, told
from tests.conversation_search.library import Library
from tests.hosting import Somebody, hosting, settings_for
from tests.production_memory.filed import indexed


@pytest_asyncio.fixture
async def without_search(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    names = [name for name in SERVERS if name != "conversation_search"]
    settings = settings_for(stores, tmp_path_factory.mktemp("without_search"))
    async with hosting(settings, *names) as wiring:
        yield Desk(Library(wiring, Somebody()))


async def test_without_search_the_beginning_of_a_file_is_read(without_search: Desk) -> None:
    desk = without_search
    with desk.library.somebody.acts(desk.library.wiring):
        conversation = await desk.library.conversation()
        file_id = await indexed(desk.library.wiring, "It begins.", name="report.pdf")
        led = await desk.asked(conversation, "What does the file say?", file_id)
        response = await desk.assembled(led.message)
    assert "- [report.pdf, page 1]\n| It begins." in told(response)
    missing = Degradation(feature=Feature.FEATURE_FILES, cause="conversation_search")
    assert missing in response.degradations
