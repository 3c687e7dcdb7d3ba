"""A question to a user outlives every process."""

import signal
from pathlib import Path

import pytest

from kari.chat_hub.v1.chat_hub_pb2 import (
    AnswerApprovalRequest,
    FollowTurnRequest,
)
from kari.conversation_models.v1.turn_pb2 import StreamPosition, TurnState
from kari.edge.v1.frames_pb2 import Ack, ClientFrame
from kari.errors.v1.errors_pb2 import Reason
from tests.flow.conftest import OBEDIENT, models_file, tools_file
from tests.flow.test_tools import CONVERT
from tests.running import Kari
from tests.socket_client import SocketClient, login, opened
from tests.upstream.server import Upstream

AWAITING = TurnState.TURN_STATE_AWAITING_APPROVAL


@pytest.fixture
def kari(tmp_path: Path, upstream: Upstream) -> Kari:
    """Not started yet; together, for it starts twice."""
    return Kari.at(
        tmp_path / "data",
        KARI_MODELS_FILE=str(models_file(tmp_path, upstream)),
        KARI_TOOLS_FILE=str(tools_file(tmp_path)),
        KARI_TURN_LEASE_SECONDS="3",
    )


async def asking(client: SocketClient) -> tuple[Ack, str, StreamPosition]:
    """A turn that waits for its user: its ack, the call, the place of the question."""
    ack, frame_id = await client.say(CONVERT, model=OBEDIENT)
    event = (await client.until(frame_id, "approval_requested"))[-1]
    return ack, event.approval_requested.call.id, event.position


async def test_an_answer_right_before_everything_is_killed_leads_the_turn_on(kari: Kari) -> None:
    """Answered and killed at once. What is answered after the kill: see test_restart."""
    await kari.start()
    async with opened(kari, await login(kari)) as client:
        ack, call_id, _ = await asking(client)
        await client.ask(answer_approval=answer(ack, call_id))
    await kari.kill_all()
    await kari.start()
    async with opened(kari, await login(kari)) as client:
        resume = FollowTurnRequest(turn_id=ack.turn.id)
        events = await client.events(await client.send(ClientFrame(resume=resume)))
        again = await client.ask(answer_approval=answer(ack, "call_" + "0" * 32))
    # Which one depends on how far it came: a call that may have run is not made again.
    assert events[-1].WhichOneof("event") in ("completed", "failed")
    assert again.error.reason == Reason.REASON_CALL_NOT_FOUND
    assert await kari.stop(signal.SIGTERM) == 0


def answer(ack: Ack, call_id: str) -> AnswerApprovalRequest:
    """Yes."""
    return AnswerApprovalRequest(turn_id=ack.turn.id, call_id=call_id, approved=True)
