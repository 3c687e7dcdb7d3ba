"""A turn that asks its user, waits without a leader and goes on with the answer."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import grpc
import pytest
from redis.asyncio import Redis

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import CancelTurnRequest
from kari.conversation_models.v1.tool_pb2 import ToolCall, ToolStep
from kari.conversation_models.v1.turn_pb2 import Turn, TurnEvent, TurnState, WhenBusy
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import AnswerApprovalRequest, Lease
from servers.chat_orchestrator.allowance import orderly
from servers.chat_orchestrator.step import APPROVED, ENDED, RUNNING, decide
from servers.runtime.durations import duration
from servers.runtime.errors import from_rpc
from servers.runtime.redis import tenant_key
from servers.runtime.settings import Settings
from tests.chat_orchestrator.conversing import (
    ToolStage,
    kinds,
    question,
    results,
    text_of,
    with_tools,
)
from tests.chat_orchestrator.scripted_models import call
from tests.hosting import Somebody, until

AWAITING = TurnState.TURN_STATE_AWAITING_APPROVAL


async def asking(stage: ToolStage, *also: str) -> tuple[Turn, list[TurnEvent]]:
    """A turn that asks whether it may write, and its events until then."""
    stage.say(["I will.", *map(call, also), call("write", to="disk")], ["Done."])
    turn = await stage.start("write it")
    events = await stage.events(turn, until="approval_requested")
    await until(partial(waits, stage, turn))
    return turn, events


async def waits(stage: ToolStage, turn: Turn) -> bool:
    """Whether the turn waits for its user."""
    return (await stage.stored(turn)).turn.state == AWAITING


async def test_an_allowed_call_is_made_and_the_turn_goes_on(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """On the same stream, with one answer of both rounds; other calls did not wait."""
    stage = await with_tools(stack, settings)
    turn, before = await asking(stage, "echo")
    assert kinds(before)[-2:] == ["tool_finished", "approval_requested"]
    asked = before[-1].approval_requested
    assert (asked.tool_name, asked.description) == ("Write", "It is write.")
    answered = await stage.answer(turn, asked.call.id, approved=True)
    assert not answered.pending_steps
    events = await stage.events(turn)
    assert events[: len(before)] == before
    assert kinds(events)[len(kinds(before)) :] == [
        "approval_answered",
        "tool_started",
        "tool_progress",
        "tool_finished",
        "delta",
        "usage",
        "completed",
    ]
    message = events[-1].completed.message
    assert text_of(events) == message.content == "I will.\n\nDone."
    assert [(u.tool_id, u.success) for u in message.tools_called] == [
        ("echo", True),
        ("write", True),
    ]
    assert [c.approved for c in stage.tools.calls if c.call.tool_id == "write"] == [False, True]


async def test_an_allowed_call_is_made_though_its_tool_is_not_offered_any_more(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Its server left meanwhile: the call finds that, and not that it may not be made."""
    stage = await with_tools(stack, settings)
    turn, before = await asking(stage)
    for each in stage.tools.tools:
        each.available = each.id != "write"
    await stage.answer(turn, question(before), approved=True)
    await stage.events(turn)
    assert "write" in stage.tools.calls[-1].allowed_tool_ids


async def test_a_refused_call_is_a_result_that_the_model_sees(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """It was not made."""
    stage = await with_tools(stack, settings)
    turn, before = await asking(stage)
    await stage.answer(turn, question(before), approved=False)
    events = await stage.events(turn)
    assert [r.error.reason for r in results(events)] == [Reason.REASON_APPROVAL_DENIED]
    assert "REASON_APPROVAL_DENIED" in stage.prompt()[-1].content
    assert len(stage.tools.calls) == 1
    assert events[-1].HasField("completed")


async def test_without_an_answer_in_time_the_call_is_refused(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """And the turn ends by itself; an answer after that finds no question."""
    stage = await with_tools(stack, settings, approval_seconds=0.5, turn_lease_seconds=0.6)
    turn, before = await asking(stage)
    events = await stage.events(turn)
    answered = next(e.approval_answered for e in events if e.HasField("approval_answered"))
    assert (answered.approved, answered.expired) == (False, True)
    assert [r.error.reason for r in results(events)] == [Reason.REASON_APPROVAL_EXPIRED]
    assert events[-1].HasField("completed")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stage.answer(turn, question(before), approved=True)
    assert from_rpc(refused.value).reason == Reason.REASON_CALL_NOT_FOUND


async def test_a_turn_with_several_questions_goes_on_after_the_last_answer(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Each says what is still open."""
    stage = await with_tools(stack, settings)
    turn, _ = await asking(stage, "write")
    first, second = [s.call.id for s in (await stage.stored(turn)).turn.pending_steps]
    answered = await stage.answer(turn, first, approved=False)
    assert [step.call.id for step in answered.pending_steps] == [second]
    again = await stage.answered(turn, first, approved=True)
    assert len(again.turn.pending_steps) == 1
    assert (again.HasField("approved"), again.approved) == (True, False)
    await stage.answer(turn, second, approved=True)
    events = await stage.events(turn)
    assert [result.success for result in results(events)] == [False, True]


async def test_only_the_user_of_the_turn_answers(stack: AsyncExitStack, settings: Settings) -> None:
    """Not even another one of the tenant."""
    stage = await with_tools(stack, settings)
    turn, before = await asking(stage)
    sender, stage.user = stage.user, Somebody(tenant_id=stage.user.tenant_id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stage.answer(turn, question(before), approved=True)
    assert from_rpc(refused.value).reason == Reason.REASON_CALL_NOT_FOUND
    stage.user = sender
    assert (await stage.stored(turn)).turn.state == AWAITING


async def test_no_more_is_asked_than_can_be_shown(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """What is beyond it is refused, and the user answers the rest."""
    stage = await with_tools(stack, settings)
    large = [call("write", n=n, text="x" * 190_000) for n in range(4)]
    stage.say(large, ["Done."])
    turn = await stage.start("write it all")
    events = await stage.events(turn, until="approval_requested")
    assert [r.error.reason for r in results(events)] == [Reason.REASON_TOOL_LIMIT] * 2
    await until(partial(waits, stage, turn))
    pending = [step.call for step in (await stage.stored(turn)).turn.pending_steps]
    assert pending == large[:2]
    for each in pending:
        await stage.answer(turn, each.id, approved=True)
    assert (await stage.events(turn))[-1].completed.message.content == "Done."
    assert [c.call for c in stage.tools.calls if c.approved] == large[:2]


def test_what_was_allowed_runs_with_what_was_shown_or_not_at_all() -> None:
    """Arguments that got lost are not taken for none."""
    write = call("write", to="disk")
    whole = ToolStep(call=write, round=1, state=APPROVED)
    lost = ToolStep(call=ToolCall(id=write.id, tool_id="write"), round=1, state=APPROVED)
    decide(whole, "cor")
    told = decide(lost, "cor")
    assert (whole.state, lost.state, told.approved) == (RUNNING, ENDED, True)
    assert lost.result.error.reason == Reason.REASON_TOOL_ARGUMENTS
    (plain,) = orderly([ToolCall(tool_id="time")], set())
    assert plain.arguments_json == "{}"


@pytest.mark.parametrize("forgotten", [False, True])
async def test_the_answer_after_a_restart_leads_the_turn_on(
    stack: AsyncExitStack, settings: Settings, forgotten: bool
) -> None:
    """The process that asked is gone; with the journal of the stream too, its stream is told
    again."""
    async with AsyncExitStack() as first:
        stage = await with_tools(first, settings)
        turn, before = await asking(stage, "echo")
    if forgotten:
        await forget_stream(settings, stage, turn)
    after = await with_tools(stack, settings, after=stage, models=stage.models, tools=stage.tools)
    await after.answer(turn, question(before), approved=True)
    await until(partial(ended, after, turn))
    events = await after.events(turn)
    assert text_of(events) == events[-1].completed.message.content == "I will.\n\nDone."
    (asked,) = [e.approval_requested for e in events if e.HasField("approval_requested")]
    assert (asked.tool_name, asked.description) == ("Write", "It is write.")
    assert [(r.tool_id, r.success) for r in results(events)] == [("echo", True), ("write", True)]
    said, *told = after.prompt()[-3:]
    assert (said.content, len(said.tool_calls), len(told)) == ("I will.", 2, 2)
    assert after.prompt()[1].content == "write it"
    assert events[-2].usage.prompt_tokens == 14


async def forget_stream(settings: Settings, stage: ToolStage, turn: Turn) -> None:
    """As Redis does when its time is over."""
    assert settings.redis_url is not None
    async with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
        key = tenant_key(stage.user.tenant_id, "stream", turn.id)
        assert await redis.delete(key) == 1


async def ended(stage: ToolStage, turn: Turn) -> bool:
    """Whether the turn has ended."""
    return (await stage.stored(turn)).turn.HasField("ended_at")


async def test_a_turn_whose_leader_died_right_after_the_answer_is_led_on(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Its lease runs out while it still waits: another one makes the call."""
    async with AsyncExitStack() as first:
        stage = await with_tools(first, settings)
        turn, before = await asking(stage)
        answer = AnswerApprovalRequest(
            turn_id=turn.id,
            call_id=question(before),
            approved=True,
            lease=Lease(owner="somebody dead", duration=duration(0.2)),
        )
        with stage.user.acts(stage.wiring):
            led = await stage.memory.AnswerApproval(answer)
        assert led.HasField("led_turn")
    after = await with_tools(
        stack,
        settings,
        after=stage,
        models=stage.models,
        tools=stage.tools,
        turn_lease_seconds=0.6,
    )
    await until(partial(ended, after, turn))
    assert (await after.stored(turn)).answer.content == "I will.\n\nDone."


async def test_a_process_with_waiting_turns_stops_at_once(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """There is nothing to see to its end."""
    async with AsyncExitStack() as first:
        stage = await with_tools(first, settings, drain_seconds=60.0)
        turn, _ = await asking(stage)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 30
    after = await with_tools(stack, settings, after=stage)
    assert (await after.stored(turn)).turn.state == AWAITING


async def test_a_waiting_turn_can_be_called_off(stack: AsyncExitStack, settings: Settings) -> None:
    """Its stream ends with what was written, and the next message is answered."""
    stage = await with_tools(stack, settings)
    turn, _ = await asking(stage)
    queued = await stage.start("and then", when_busy=WhenBusy.WHEN_BUSY_ENQUEUE)
    with stage.user.acts(stage.wiring):
        await stage.orchestrator.CancelTurn(CancelTurnRequest(turn_id=turn.id))
    events = await stage.events(turn)
    assert events[-1].cancelled.message.content == "I will."
    assert (await stage.events(queued))[-1].HasField("completed")


async def test_a_message_that_interrupts_a_waiting_turn_ends_its_stream(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Nobody led it, so who takes its place tells its end."""
    stage = await with_tools(stack, settings)
    turn, _ = await asking(stage)
    later = await stage.start("never mind", when_busy=WhenBusy.WHEN_BUSY_INTERRUPT)
    assert (await stage.events(turn))[-1].HasField("cancelled")
    assert (await stage.events(later))[-1].HasField("completed")
