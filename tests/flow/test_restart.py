"""Death of everything, and after."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from kari.chat_hub.v1.chat_hub_pb2 import (
    AnswerApprovalRequest,
    FollowTurnRequest,
    ListConversationsRequest,
    ListMessagesRequest,
)
from kari.conversation_models.v1.turn_pb2 import StreamPosition, TurnState
from kari.edge.v1.frames_pb2 import Ack, ClientFrame
from kari.errors.v1.errors_pb2 import Reason
from tests.flow.conftest import OBEDIENT, SLOW, models_file
from tests.flow.test_tools import CONVERT, results
from tests.hosting import until
from tests.running import Kari
from tests.socket_client import SocketClient, kinds_of, login, opened
from tests.upstream.server import Upstream

AWAITING = TurnState.TURN_STATE_AWAITING_APPROVAL


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


async def running(folder: Path, upstream: Upstream, *, spread: bool) -> AsyncIterator[Kari]:
    """One that runs, and stops as it should."""
    kari = restartable(folder, upstream, spread=spread)
    await kari.start()
    yield kari
    assert await kari.stop() == 0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def spread(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> AsyncIterator[Kari]:
    """One that runs, spread; tests leave it running."""
    async for kari in running(tmp_path_factory.mktemp("spread"), upstream, spread=True):
        yield kari


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def together(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> AsyncIterator[Kari]:
    """One that runs, together; tests leave it running, but for the last."""
    async for kari in running(tmp_path_factory.mktemp("together"), upstream, spread=False):
        yield kari


async def asking(client: SocketClient) -> tuple[Ack, str, StreamPosition]:
    """A turn that waits for its user: its ack, the call, the place of the question."""
    ack, frame_id = await client.say(CONVERT, model=OBEDIENT)
    event = (await client.until(frame_id, "approval_requested"))[-1]
    return ack, event.approval_requested.call.id, event.position


def answer(ack: Ack, call_id: str) -> AnswerApprovalRequest:
    """Yes."""
    return AnswerApprovalRequest(turn_id=ack.turn.id, call_id=call_id, approved=True)


@dataclass
class Risen:
    """A Kari of which every process was killed in a turn, while a turn waited for its user, and
    right after another one had its answer; and that was started again. The places are how far the
    turns were read."""

    kari: Kari
    story: Ack
    story_place: StreamPosition
    question: Ack
    call_id: str
    question_place: StreamPosition
    answered: Ack


@pytest.fixture(scope="module", params=["together", "spread"])
def placed(request: pytest.FixtureRequest) -> Kari:
    """One that runs, in each placement."""
    kari: Kari = request.getfixturevalue(request.param)
    return kari


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def risen(placed: Kari) -> Risen:
    """In each placement."""
    kari = placed
    async with opened(kari, await login(kari)) as client:
        await until(lambda: calculates(client), 60)
        question, call_id, question_place = await asking(client)
        answered, answered_call, _ = await asking(client)
        story, frame_id = await client.say("long story", model=SLOW)
        frame = await client.answer_to(frame_id)
        while not frame.turn_event.HasField("delta"):
            frame = await client.answer_to(frame_id)
        place = frame.turn_event.position
        await client.ask(answer_approval=answer(answered, answered_call))
        await kari.kill_all()
    await kari.start()
    return Risen(kari, story, place, question, call_id, question_place, answered)


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
        await until(lambda: calculates(client), 60)
        endless = '!code.run {"code": "while True: pass"}'
        _, frame_id = await client.say(endless, model=OBEDIENT)
        await client.until(frame_id, "tool_started")
        spread.part("tool_integration").kill()
        events = await client.events(frame_id)
        (result,) = results(events)
        assert result.error.reason == Reason.REASON_TOOL_UNAVAILABLE
        assert "REASON_TOOL_UNAVAILABLE" in events[-1].completed.message.content
        await until(lambda: calculates(client), 60)


async def calculates(client: SocketClient) -> bool:
    """Whether tools can be called: right after a start a turn may do without them."""
    _, events = await client.turn('!calculator {"expression": "6*7"}', model=OBEDIENT)
    return any(result.success for result in results(events))


async def test_killing_everything_in_a_turn_loses_nothing_that_was_acknowledged(
    risen: Risen,
) -> None:
    """The message is there, the text so far is there, the turn has ended."""
    async with opened(risen.kari, await login(risen.kari)) as client:
        resume = FollowTurnRequest(turn_id=risen.story.turn.id, after=risen.story_place)
        events = await client.events(await client.send(ClientFrame(resume=resume)))
        listing = ListMessagesRequest(conversation_id=risen.story.conversation_id)
        history = (await client.ask(history=listing)).result.history
    assert events[-1].failed.error.reason == Reason.REASON_TURN_ABANDONED
    assert [m.content for m in history.messages][-1] == "long story"
    assert history.messages[0].partial
    assert not history.HasField("active_turn")


async def test_a_question_outlives_every_process(risen: Risen) -> None:
    """It is shown again, and its answer leads the turn on, on the same stream."""
    ack, call_id = risen.question, risen.call_id
    async with opened(risen.kari, await login(risen.kari)) as client:
        page = ListMessagesRequest(conversation_id=ack.conversation_id)
        waiting = (await client.ask(history=page)).result.history.active_turn
        assert (waiting.state, [s.call.id for s in waiting.pending_steps]) == (AWAITING, [call_id])
        resume = FollowTurnRequest(turn_id=ack.turn.id, after=risen.question_place)
        frame_id = await client.send(ClientFrame(resume=resume))
        await client.ask(answer_approval=answer(ack, call_id))
        events = await client.events(frame_id)
    # Right after a start it may have to do without something, which it says.
    told = [kind for kind in kinds_of(events) if kind != "degraded"]
    assert told[:2] == ["approval_answered", "tool_started"]
    assert [result.success for result in results(events)] == [True]
    assert "3000" in events[-1].completed.message.content


async def test_an_answer_right_before_everything_is_killed_leads_the_turn_on(risen: Risen) -> None:
    """Answered and killed at once."""
    ack = risen.answered
    async with opened(risen.kari, await login(risen.kari)) as client:
        resume = FollowTurnRequest(turn_id=ack.turn.id)
        events = await client.events(await client.send(ClientFrame(resume=resume)))
        again = await client.ask(answer_approval=answer(ack, "call_" + "0" * 32))
    # Which one depends on how far it came: a call that may have run is not made again.
    assert events[-1].WhichOneof("event") in ("completed", "failed")
    assert again.error.reason == Reason.REASON_CALL_NOT_FOUND


async def stopped(kari: Kari, how: signal.Signals) -> None:
    """Stops it; it says that all went well and leaves no process behind."""
    processes = kari.processes()
    assert await kari.stop(how) == 0
    assert not [p for p in processes if p.is_running() and p.status() != "zombie"]


async def test_ctrl_c_and_another_start_keep_the_conversation(together: Kari) -> None:
    """Ctrl-C is SIGINT; the second time it is SIGTERM, as service managers send. The last test:
    it stays stopped."""
    kari = together
    async with opened(kari, await login(kari)) as client:
        ack, _ = await client.turn("remember me")
        before = await conversations(client)
    await stopped(kari, signal.SIGINT)
    await kari.start()
    async with opened(kari, await login(kari)) as client:
        after = await conversations(client)
    await stopped(kari, signal.SIGTERM)
    assert after == before
    assert after[0] == ack.conversation_id


async def conversations(client: SocketClient) -> list[str]:
    """Ids of all, the newest first."""
    frame = await client.ask(conversations=ListConversationsRequest())
    return [c.id for c in frame.result.conversations.conversations]
