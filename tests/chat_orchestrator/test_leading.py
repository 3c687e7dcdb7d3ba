"""Turns among real peers: how they end, whatever happens on the way."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import CancelTurnRequest
from kari.conversation_manager.v1.conversation_manager_pb2 import GetConversationRequest
from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.turn_pb2 import TurnState, WhenBusy
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import (
    BeginTurnRequest,
    ClaimAbandonedTurnsRequest,
    Lease,
)
from servers.chat_orchestrator.prompt import APOLOGY
from servers.runtime.durations import duration
from servers.runtime.settings import Settings
from tests.chat_orchestrator.conftest import Stage, staged, until_waiting
from tests.hosting import hosting


async def test_an_answer_is_streamed_and_committed(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """What was streamed is what is kept, and the conversation knows its context."""
    stage = await staged(stack, settings)
    turn = await stage.start("hello")
    events = await stage.events(turn)
    assert "".join(e.delta.text for e in events) == "Hello world"
    assert await stage.history() == ["hello", "Hello world"]
    stored = (await stage.stored(turn)).turn
    assert stored.state == TurnState.TURN_STATE_COMPLETED
    assert stored.usage.completion_tokens == 2
    assert stored.usage.HasField("time_to_first_token")
    await snapshot_of(stage, turn.id)


async def snapshot_of(stage: Stage, turn_id: str) -> None:
    """Returns when the conversation's snapshot is that of the turn."""
    request = GetConversationRequest(conversation_id=stage.conversation_id)
    while True:
        with stage.user.acts(stage.wiring):
            found = await stage.conversations.GetConversation(request)
        if found.conversation.context_snapshot.turn_id == turn_id:
            return
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("script", "reason"),
    [("cut", Reason.REASON_PROVIDER_ERROR), ("break", Reason.REASON_PROVIDER_ERROR)],
)
async def test_a_stream_that_breaks_keeps_its_text(
    stack: AsyncExitStack, settings: Settings, script: str, reason: Reason.ValueType
) -> None:
    """Failed, partial, and said so."""
    stage = await staged(stack, settings)
    turn = await stage.start(f"{script} it")
    failed = (await stage.events(turn))[-1].failed
    assert failed.error.reason == reason
    assert (failed.message.content, failed.message.partial) == ("Hello", True)
    assert (await stage.stored(turn)).turn.state == TurnState.TURN_STATE_FAILED


async def test_when_nobody_answers_the_runtime_apologizes(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """The apology is committed, and no model's name is on it."""
    stage = await staged(stack, settings)
    failed = (await stage.play("fail please"))[-1].failed
    assert failed.error.reason == Reason.REASON_PROVIDERS_FAILED
    assert failed.message.content == APOLOGY
    assert failed.message.model_used == ""
    assert await stage.history() == ["fail please", APOLOGY]


async def test_without_context_the_bare_message_is_answered(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Reduced features are said."""
    stage = await staged(stack, settings, without="context_integrator")
    events = await stage.play("hello")
    degraded = [e.degraded.feature for e in events if e.HasField("degraded")]
    assert degraded == [Feature.FEATURE_FULL_CONTEXT]
    assert events[-1].HasField("completed")


async def test_a_prompt_is_cut_to_the_operators_budget(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Whatever the model's window: the latest messages stay."""
    stage = await staged(stack, settings, context_tokens=256)
    for number in range(3):
        await stage.play(f"message {number} " + "many words " * 100)
    contents = [message.content for message in stage.models.requests[-1].messages]
    assert "message 2" in contents[-1]
    assert not any("message 0" in content for content in contents)


async def test_a_turn_that_takes_too_long_fails(stack: AsyncExitStack, settings: Settings) -> None:
    """With its text kept and the model's call ended."""
    stage = await staged(stack, settings, turn_deadline_seconds=1.0)
    failed = (await stage.play("wait for it"))[-1].failed
    assert failed.error.reason == Reason.REASON_DEADLINE
    assert failed.message.content == "Hello"
    assert stage.models.cancelled == 1


async def test_a_cancelled_turn_ends_the_models_call(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """And a second cancel changes nothing."""
    stage = await staged(stack, settings)
    turn = await stage.start("wait for it")
    await stage.events(turn, until="delta")
    with stage.user.acts(stage.wiring):
        await stage.orchestrator.CancelTurn(CancelTurnRequest(turn_id=turn.id))
        events = await stage.events(turn)
        again = await stage.orchestrator.CancelTurn(CancelTurnRequest(turn_id=turn.id))
    assert events[-1].cancelled.message.content == "Hello"
    assert again.turn.state == TurnState.TURN_STATE_CANCELLED
    assert stage.models.cancelled == 1


async def test_waiting_turns_are_led_in_order(stack: AsyncExitStack, settings: Settings) -> None:
    """Each after the one before it has ended."""
    stage = await staged(stack, settings)
    await stage.start("wait for it")
    queued = [
        await stage.start(text, when_busy=WhenBusy.WHEN_BUSY_ENQUEUE) for text in ("two", "three")
    ]
    await until_waiting(stage.models)
    stage.models.release.set()
    for turn in queued:
        assert (await stage.events(turn))[-1].HasField("completed")
    asked = [request.messages[-1].content for request in stage.models.requests]
    assert asked == ["wait for it", "two", "three"]


async def test_a_waiting_turn_can_be_called_off(stack: AsyncExitStack, settings: Settings) -> None:
    """Its stream ends although nobody ever led it."""
    stage = await staged(stack, settings)
    await stage.start("wait for it")
    waiting = await stage.start("never", when_busy=WhenBusy.WHEN_BUSY_ENQUEUE)
    with stage.user.acts(stage.wiring):
        await stage.orchestrator.CancelTurn(CancelTurnRequest(turn_id=waiting.id))
    events = await stage.events(waiting)
    assert events[-1].HasField("cancelled")
    assert (await stage.stored(waiting)).turn.state == TurnState.TURN_STATE_CANCELLED


async def test_the_same_request_is_the_same_turn(stack: AsyncExitStack, settings: Settings) -> None:
    """Also while it runs, and the model is asked once."""
    stage = await staged(stack, settings)
    one = await stage.start("hello", request_id="the-same")
    two = await stage.start("hello", request_id="the-same")
    await stage.events(two)
    assert one.id == two.id
    assert len(stage.models.requests) == 1


async def test_a_turn_whose_leader_died_before_a_word_is_answered(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Its lease runs out, another orchestrator writes it anew."""
    stage = await staged(stack, settings, turn_lease_seconds=1.0)
    request = BeginTurnRequest(
        conversation_id=stage.conversation_id,
        content="anybody there",
        request_id="orphan",
        lease=Lease(owner="somebody dead", duration=duration(0.2)),
    )
    with stage.user.acts(stage.wiring):
        turn = (await stage.memory.BeginTurn(request)).led_turn.turn
    while (await stage.stored(turn)).turn.state != TurnState.TURN_STATE_COMPLETED:
        await asyncio.sleep(0.05)
    assert await stage.history() == ["anybody there", "Hello world"]


async def test_a_stopping_orchestrator_keeps_the_text(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """What cannot be finished in time ends as failed, in storage and in its stream."""
    async with AsyncExitStack() as first:
        stage = await staged(first, settings, drain_seconds=2.0)
        turn = await stage.start("wait for it")
        await stage.events(turn, until="delta")
    wiring = await stack.enter_async_context(hosting(settings, "production_memory"))
    after = Stage(wiring, stage.models, stage.user, stage.conversation_id)
    stored = await after.stored(turn)
    await after.close()
    assert stored.turn.state == TurnState.TURN_STATE_FAILED
    assert stored.turn.error.reason == Reason.REASON_SHUTTING_DOWN
    assert stored.answer.content == "Hello"


async def test_requests_repeated_at_once_are_one_turn_led_once(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """What is streamed is what is committed, whoever asked how often."""
    stage = await staged(stack, settings)
    for number in range(5):
        turns = await asyncio.gather(
            *(stage.start("hello", request_id=f"same-{number}") for _ in range(4))
        )
        (turn_id,) = {turn.id for turn in turns}
        events = await stage.events(turns[0])
        assert "".join(e.delta.text for e in events) == "Hello world"
        assert events[-1].completed.message.turn_id == turn_id
    assert len(stage.models.requests) == 5


async def test_an_end_that_is_refused_is_an_end_all_the_same(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """A factory that names no model that could be: the turn fails, and nothing hangs."""
    stage = await staged(stack, settings)
    turn = await stage.start("misnamed")
    failed = (await stage.events(turn))[-1].failed
    assert (failed.error.reason, failed.message.content) == (Reason.REASON_INTERNAL, APOLOGY)
    assert (await stage.stored(turn)).turn.error.reason == Reason.REASON_INTERNAL


async def test_a_turn_that_brings_its_leaders_down_is_not_begun_for_ever(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """After the third silent leader it fails."""
    first = await staged(stack, settings, without="chat_orchestrator")
    lease = Lease(owner="somebody dead", duration=duration(0.05))
    request = BeginTurnRequest(
        conversation_id=first.conversation_id, content="boom", request_id="boom", lease=lease
    )
    with first.user.acts(first.wiring):
        turn = (await first.memory.BeginTurn(request)).led_turn.turn
        claimed = 1
        while claimed < 3:
            sweep = ClaimAbandonedTurnsRequest(lease=lease)
            found = (await first.memory.ClaimAbandonedTurns(sweep)).led_turns
            # Others' tests leave turns behind as well.
            claimed += sum(led.turn.id == turn.id for led in found)
            await asyncio.sleep(0.02)
    stage = await staged(stack, settings, user=first.user, turn_lease_seconds=0.5)
    while not (await stage.stored(turn)).turn.HasField("ended_at"):
        await asyncio.sleep(0.05)
    stored = (await stage.stored(turn)).turn
    assert stored.error.reason == Reason.REASON_TURN_ABANDONED
    assert stage.models.requests == []
