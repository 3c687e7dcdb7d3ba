"""Death of everything, and after."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from kari.chat_hub.v1.chat_hub_pb2 import (
    FollowTurnRequest,
    ListConversationsRequest,
    ListMessagesRequest,
)
from kari.edge.v1.frames_pb2 import ClientFrame
from kari.errors.v1.errors_pb2 import Reason
from tests.flow.conftest import OBEDIENT, SLOW, models_file
from tests.flow.test_approval import answer, asking
from tests.flow.test_tools import results
from tests.hosting import until
from tests.running import Kari
from tests.socket_client import kinds_of, login, opened
from tests.upstream.server import Upstream


def restartable(folder: Path, upstream: Upstream, *, spread: bool) -> Kari:
    """Not started yet, with a short lease so that takeover is soon."""
    return Kari.at(
        folder / "data",
        spread=spread,
        KARI_MODELS_FILE=str(models_file(folder, upstream)),
        KARI_TOOLS_FILE=str(asking_file(folder)),
        KARI_TURN_LEASE_SECONDS="3",
    )


def asking_file(folder: Path) -> Path:
    """One tool asks first."""
    file = folder / "tools.toml"
    file.write_text('[tools."units"]\napproval = "always"\n')
    return file


@pytest.fixture
def kari(tmp_path: Path, upstream: Upstream) -> Kari:
    """Not started yet."""
    return restartable(tmp_path, upstream, spread=False)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def spread(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> AsyncIterator[Kari]:
    """One that runs, spread; tests leave it running."""
    kari = restartable(tmp_path_factory.mktemp("spread"), upstream, spread=True)
    await kari.start()
    yield kari
    assert await kari.stop() == 0


@pytest_asyncio.fixture(loop_scope="session", params=["together", "spread"])
async def started(request: pytest.FixtureRequest, kari: Kari) -> AsyncIterator[Kari]:
    """One that runs, in each placement."""
    if request.param == "spread":
        yield request.getfixturevalue("spread")
        return
    await kari.start()
    yield kari
    assert await kari.stop() == 0


async def test_a_server_that_dies_is_started_again(spread: Kari) -> None:
    """The orchestrator is killed in a turn; the turn ends, the next one is answered."""
    kari = spread
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
    assert events[-1].failed.error.reason == Reason.REASON_TURN_ABANDONED
    assert after[-1].HasField("completed")


async def test_a_tool_whose_registry_dies_has_failed(spread: Kari) -> None:
    """The turn goes on without it, and tools are called again once it is back."""
    async with opened(spread, await login(spread)) as client:
        endless = '!code.run {"code": "while True: pass"}'
        ack, frame_id = await client.say(endless, model=OBEDIENT)
        await client.until(frame_id, "tool_started")
        spread.part("tool_integration").kill()
        events = await client.events(frame_id)
        (result,) = results(events)
        assert result.error.reason == Reason.REASON_TOOL_UNAVAILABLE
        assert "REASON_TOOL_UNAVAILABLE" in events[-1].completed.message.content

        async def again() -> bool:
            asked = '!calculator {"expression": "6*7"}'
            _, events = await client.turn(asked, ack.conversation_id, model=OBEDIENT)
            return any(result.success for result in results(events))

        await until(again, 60)


async def test_a_question_outlives_every_process_of_a_spread_mesh(spread: Kari) -> None:
    """Its answer leads the turn on, on the same stream."""
    async with opened(spread, await login(spread)) as client:
        ack, call_id, place = await asking(client)
    await spread.kill_all()
    await spread.start()
    async with opened(spread, await login(spread)) as client:
        resume = FollowTurnRequest(turn_id=ack.turn.id, after=place)
        frame_id = await client.send(ClientFrame(resume=resume))
        await client.ask(answer_approval=answer(ack, call_id))
        events = await client.events(frame_id)
    assert kinds_of(events)[:2] == ["approval_answered", "tool_started"]
    assert "3000" in events[-1].completed.message.content


async def test_killing_everything_in_a_turn_loses_nothing_that_was_acknowledged(
    started: Kari,
) -> None:
    """The message is there, the text so far is there, the turn has ended."""
    kari = started
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
    assert events[-1].failed.error.reason == Reason.REASON_TURN_ABANDONED
    assert [m.content for m in history.messages][-1] == "long story"
    assert history.messages[0].partial
    assert not history.HasField("active_turn")


async def stopped(kari: Kari, how: signal.Signals) -> None:
    """Stops it; it says that all went well and leaves no process behind."""
    processes = kari.processes()
    assert await kari.stop(how) == 0
    assert not [p for p in processes if p.is_running() and p.status() != "zombie"]


async def test_ctrl_c_and_another_start_keep_the_conversation(kari: Kari) -> None:
    """Ctrl-C is SIGINT; the second time it is SIGTERM, as service managers send."""
    await kari.start()
    async with opened(kari, await login(kari)) as client:
        ack, _ = await client.turn("remember me")
    await stopped(kari, signal.SIGINT)
    await kari.start()
    async with opened(kari, await login(kari)) as client:
        frame = await client.ask(conversations=ListConversationsRequest())
    await stopped(kari, signal.SIGTERM)
    found = [c.id for c in frame.result.conversations.conversations]
    assert found == [ack.conversation_id]
