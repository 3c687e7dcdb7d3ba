"""Postgres fails, or production memory is not there: the caller is told to try again."""

from pathlib import Path

from kari.conversation_models.v1.conversation_pb2 import ConversationChange
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.ids import new_id
from servers.runtime.settings import Placement
from tests.breakable_stores import BreakableStores
from tests.conversation_manager.manager import Manager
from tests.hosting import Somebody, hosting
from tests.production_memory.memory import refusal


async def test_changes_are_refused_while_something_they_need_is_away(tmp_path: Path) -> None:
    """Spread, production memory has a port of its own, where nobody listens here."""
    async with BreakableStores(tmp_path) as stores:
        settings = stores.settings().model_copy(update={"placement": Placement.SPREAD})
        async with hosting(settings, "conversation_manager") as wiring:
            manager = Manager(wiring, Somebody())
            with manager.somebody.acts(wiring):
                made = await manager.create()
                pin = ConversationChange(pin_message_id=new_id("msg"))
                refused = await refusal(manager.update(made.id, pin))
                assert refused.reason == Reason.REASON_SERVER_UNAVAILABLE
                await stores.kill("postgres")
                title = ConversationChange(title="Plans")
                refused = await refusal(manager.update(made.id, title))
                assert (refused.reason, refused.retryable) == (
                    Reason.REASON_STORE_UNAVAILABLE,
                    True,
                )
                await stores.start("postgres")
                assert (await manager.update(made.id, title)).version == 2
