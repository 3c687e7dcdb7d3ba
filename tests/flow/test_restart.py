"""Death of everything, and after."""

import asyncio
from pathlib import Path

import pytest

from kari.chat_hub.v1.chat_hub_pb2 import (
    FollowTurnRequest,
    ListConversationsRequest,
    ListMessagesRequest,
)
from kari.edge.v1.frames_pb2 import ClientFrame
from kari.errors.v1.errors_pb2 import Reason
from tests.flow.conftest import SLOW, models_file
from tests.running import Kari
from tests.socket_client import login, opened
from tests.upstream.server import Upstream


@pytest.fixture
def kari(tmp_path: Path, upstream: Upstream) -> Kari:
    """Not started yet, with a short lease so that takeover is soon."""
    return Kari.at(
        tmp_path / "data",
        KARI_MODELS_FILE=str(models_file(tmp_path, upstream)),
        KARI_TURN_LEASE_SECONDS="3",
    )


async def test_killing_everything_in_a_turn_loses_nothing_that_was_acknowledged(
    kari: Kari,
) -> None:
    """The message is there, the text so far is there, the turn has ended."""
    await kari.start()
    async with opened(kari, await login(kari)) as client:
        ack, frame_id = await client.say("long story", model=SLOW)
        frame = await client.answer_to(frame_id)
        while not frame.turn_event.HasField("delta"):
            frame = await client.answer_to(frame_id)
        position = frame.turn_event.position
        await kari.kill_all()
    await kari.start()
    async with opened(kari, await login(kari)) as client:
        resume = FollowTurnRequest(turn_id=ack.turn.id, after=position)
        events = await client.events(await client.send(ClientFrame(resume=resume)))
        listing = ListMessagesRequest(conversation_id=ack.conversation_id)
        history = (await client.ask(history=listing)).result.history
    await kari.stop()
    assert events[-1].failed.error.reason == Reason.REASON_TURN_ABANDONED
    assert [m.content for m in history.messages][-1] == "long story"
    assert history.messages[0].partial
    assert not history.HasField("active_turn")


async def test_ctrl_c_and_another_start_keep_the_conversation(kari: Kari) -> None:
    """And a stop leaves no process behind."""
    await kari.start()
    async with opened(kari, await login(kari)) as client:
        ack, _ = await client.turn("remember me")
    processes = kari.processes()
    assert await kari.stop() == 0
    assert not [p for p in processes if p.is_running() and p.status() != "zombie"]
    await kari.start()
    async with opened(kari, await login(kari)) as client:
        frame = await client.ask(conversations=ListConversationsRequest())
    await kari.stop()
    found = [c.id for c in frame.result.conversations.conversations]
    assert found == [ack.conversation_id]


async def test_a_server_that_dies_is_started_again(tmp_path: Path, upstream: Upstream) -> None:
    """Spread: the orchestrator is killed in a turn; the turn ends, the next one is answered."""
    kari = Kari.at(
        tmp_path / "data",
        spread=True,
        KARI_MODELS_FILE=str(models_file(tmp_path, upstream)),
        KARI_TURN_LEASE_SECONDS="3",
    )
    await kari.start()
    async with opened(kari, await login(kari)) as client:
        ack, frame_id = await client.say("long story", model=SLOW)
        frame = await client.answer_to(frame_id)
        while not frame.turn_event.HasField("delta"):
            frame = await client.answer_to(frame_id)
        kari.part("chat_orchestrator").kill()
        events = await client.events(frame_id)
        while True:
            frame = await client.ask(
                history=ListMessagesRequest(conversation_id=ack.conversation_id)
            )
            if not frame.result.history.HasField("active_turn"):
                break
            await asyncio.sleep(0.2)
        _, after = await client.turn("still there", ack.conversation_id)
    await kari.stop()
    assert events[-1].failed.error.reason == Reason.REASON_TURN_ABANDONED
    assert after[-1].HasField("completed")
