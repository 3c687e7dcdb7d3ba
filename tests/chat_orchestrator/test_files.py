"""A turn that answers from a file: the whole way from the message to the prompt, and back."""

from contextlib import AsyncExitStack

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import ReplayContextRequest
from servers.runtime.settings import Settings
from tests.chat_orchestrator.conftest import staged
from tests.production_memory.filed import indexed


async def test_the_model_reads_the_file_of_the_message(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """With its name and page; later turns recall it, and the prompt can be made again."""
    stage = await staged(stack, settings)
    with stage.user.acts(stage.wiring):
        file_id = await indexed(stage.wiring, "The rent is 900.", "No pets.", name="lease.pdf")
    turn = await stage.start("Are pets allowed?", file_ids=[file_id])
    events = await stage.events(turn)
    told = stage.models.requests[-1].messages[0].content
    assert "- [lease.pdf, page 2]\n| No pets." in told
    ready = next(e.context_ready for e in events if e.WhichOneof("event") == "context_ready")
    assert ready.tokens_by_source["file"] > 0
    await stage.play("And how much is the rent in lease.pdf?")
    assert "| The rent is 900." in stage.models.requests[-1].messages[0].content
    with stage.user.acts(stage.wiring):
        again = await stage.orchestrator.ReplayContext(ReplayContextRequest(turn_id=turn.id))
    assert again.identical
