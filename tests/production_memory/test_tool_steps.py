"""Calls of tools are kept as they go, by who leads the turn, and stand as they ended."""

import json

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from kari.conversation_models.v1.tool_pb2 import ToolCall, ToolStep
from kari.conversation_models.v1.turn_pb2 import TurnState
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.ids import new_id
from tests.production_memory.calling import (
    APPROVED,
    AWAITING,
    DENIED,
    ENDED,
    RUNNING,
    answer,
    asked,
    asking,
    ended,
    failed,
    record,
    step,
    steps_of,
)
from tests.production_memory.memory import FAILED, Memory, refusal


async def begun(memory: Memory) -> str:
    turn_id = (await memory.begin("what is 6 times 7?")).led_turn.turn.id
    await memory.advance(turn_id)
    return turn_id


async def test_calls_are_kept_in_order_with_what_came_of_them(memory: Memory) -> None:
    turn_id = await begun(memory)
    first, second = step("calculator", text_before="Let me see. "), step("clock")
    assert not await record(memory, turn_id, first, second)
    assert (await memory.turn(turn_id)).turn.state == TurnState.TURN_STATE_RUNNING_TOOL
    await record(memory, turn_id, ended(second, '"noon"'))
    await record(memory, turn_id, ended(first, "42"))
    third = step("calculator", round=2)
    await record(memory, turn_id, third)
    kept = [ended(first, "42"), ended(second, '"noon"'), third]
    assert await steps_of(memory, turn_id) == kept


async def test_the_model_writes_again_after_its_tools(memory: Memory) -> None:
    turn_id = await begun(memory)
    await record(memory, turn_id, ended(step()))
    await memory.advance(turn_id)
    assert (await memory.turn(turn_id)).turn.state == TurnState.TURN_STATE_GENERATING
    assert (await memory.finish(turn_id, "42")).turn.state == TurnState.TURN_STATE_COMPLETED


async def test_a_call_that_ended_stays_as_it_is(memory: Memory) -> None:
    turn_id, call = await begun(memory), step()
    await record(memory, turn_id, ended(call, "42"))
    for again in (ended(call, "43"), failed(call), call):
        await record(memory, turn_id, again)
    assert await steps_of(memory, turn_id) == [ended(call, "42")]


async def test_recording_again_changes_nothing(memory: Memory) -> None:
    turn_id, call = await begun(memory), step()
    for _ in range(2):
        await record(memory, turn_id, call)
    assert await steps_of(memory, turn_id) == [call]


async def test_who_does_not_lead_the_turn_records_nothing(memory: Memory) -> None:
    turn_id = await begun(memory)
    late = await refusal(record(memory, turn_id, step(), number=2))
    assert late.reason == Reason.REASON_LEASE_LOST
    unknown = await refusal(record(memory, new_id("turn"), step()))
    assert unknown.reason == Reason.REASON_TURN_NOT_FOUND
    await memory.finish(turn_id)
    over = await refusal(record(memory, turn_id, step()))
    assert over.reason == Reason.REASON_TURN_ENDED
    assert await steps_of(memory, turn_id) == []


async def test_recording_is_a_sign_of_life_and_tells_of_a_cancel(memory: Memory) -> None:
    turn_id = await begun(memory)
    assert not await record(memory, turn_id, step())
    await memory.cancel(turn_id)
    assert await record(memory, turn_id, step())


@pytest.mark.parametrize(
    ("steps", "wait", "said"),
    [
        ([ToolStep(round=1, state=RUNNING)], False, "call"),
        ([step(state=ENDED)], False, "steps[0].result"),
        ([step(state=AWAITING)], True, "steps[0].answer_by"),
        ([step()], True, "await_answers"),
        ([step(round=0)], False, "round"),
        ([], False, "steps"),
    ],
)
async def test_a_call_that_cannot_stand_like_that_is_refused(
    memory: Memory, steps: list[ToolStep], wait: bool, said: str
) -> None:
    turn_id = await begun(memory)
    refused = await refusal(record(memory, turn_id, *steps, wait=wait))
    assert refused.reason == Reason.REASON_FIELD_INVALID
    assert said in str(refused)
    assert (await memory.turn(turn_id)).turn.state == TurnState.TURN_STATE_GENERATING


async def test_a_call_that_is_named_twice_is_refused(memory: Memory) -> None:
    turn_id, call = await begun(memory), step()
    refused = await refusal(record(memory, turn_id, call, ended(call)))
    assert refused.reason == Reason.REASON_FIELD_INVALID
    assert "twice" in refused.message


async def test_huge_arguments_are_kept_as_they_are(memory: Memory) -> None:
    turn_id = await begun(memory)
    call = step(arguments={"text": "x" * 190_000})
    await record(memory, turn_id, call)
    assert await steps_of(memory, turn_id) == [call]


async def test_arguments_that_are_no_json_and_hold_nul_are_kept(memory: Memory) -> None:
    turn_id = await begun(memory)
    wild = ToolCall(id=new_id("call"), tool_id="odd\0tool", arguments_json="{\0 \ud7ff no json")
    call = ToolStep(call=wild, round=1, state=RUNNING, text_before="a\0b")
    await record(memory, turn_id, ended(call, json.dumps("\0") + "\0"))
    (kept,) = await steps_of(memory, turn_id)
    assert kept.call == wild
    assert kept.result.result_json == '"\\u0000"\0'
    assert kept.text_before == "a\ufffdb"
    answer = (await memory.finish(turn_id)).answer
    assert [use.tool_id for use in answer.tools_called] == ["odd\ufffdtool"]


async def test_the_answer_names_the_tools_that_were_used_for_it(memory: Memory) -> None:
    turn_id = await begun(memory)
    good, bad, cut_off = step("calculator"), step("clock"), step("web_search", round=2)
    await record(memory, turn_id, ended(good), failed(bad))
    await record(memory, turn_id, cut_off)
    finished = await memory.finish(turn_id, "42", state=FAILED, partial=True)
    used = [(use.call_id, use.tool_id, use.success) for use in finished.answer.tools_called]
    assert used == [(good.call.id, "calculator", True), (bad.call.id, "clock", False)]
    assert (await steps_of(memory, turn_id))[-1] == cut_off
    again = await memory.finish(turn_id, "42", state=FAILED, partial=True)
    for message in (
        again.answer,
        (await memory.turn(turn_id)).answer,
        (await memory.messages()).messages[0],
        (await memory.by_id(finished.answer.id))[0],
        (await memory.recent())[-1],
    ):
        assert message == finished.answer


async def test_a_turn_without_tools_names_none(memory: Memory) -> None:
    turn_id = await begun(memory)
    assert await steps_of(memory, turn_id) == []
    assert not (await memory.finish(turn_id)).answer.tools_called


async def test_of_more_than_fits_into_a_response_the_latest_is_given(memory: Memory) -> None:
    turn_id = await begun(memory)
    calls = [
        ended(step(arguments="x" * 190_000, round=n), json.dumps("y" * 700_000)) for n in (1, 2, 3)
    ]
    for call in calls:
        await record(memory, turn_id, call)
    kept = await steps_of(memory, turn_id)
    assert kept[1:] == calls[1:]
    assert kept[0].call.id == calls[0].call.id
    assert kept[0].result.success
    assert (kept[0].result.result_json, kept[0].result.truncated) == ("", True)


async def test_a_call_that_has_not_ended_is_always_whole(memory: Memory) -> None:
    """However much came before it or after: what its user allows is what runs."""
    turn_id = await begun(memory)
    large = "x" * 190_000
    done = [ended(step(arguments=large, round=n), json.dumps("y" * 500_000)) for n in (2, 3, 4, 5)]
    question = asked(arguments=large)
    await record(memory, turn_id, question)
    for call in done:
        await record(memory, turn_id, call)
    await record(memory, turn_id, question, wait=True)
    assert (await steps_of(memory, turn_id))[0] == question
    assert list((await memory.turn(turn_id)).turn.pending_steps) == [question]
    await answer(memory, turn_id, question)
    kept = await steps_of(memory, turn_id)
    assert (kept[0].state, kept[0].call) == (APPROVED, question.call)
    assert [len(s.result.result_json) for s in kept[1:]] == [0, 0, 500_002, 500_002]
    assert [s.call for s in kept[1:]] == [s.call for s in done]


async def test_more_than_a_user_can_be_shown_is_not_asked(memory: Memory) -> None:
    """It is refused as a whole, before anything is asked."""
    turn_id = await begun(memory)
    questions = [asked(arguments="x" * 190_000) for _ in range(3)]
    refused = await refusal(record(memory, turn_id, *questions, wait=True))
    assert refused.reason == Reason.REASON_FIELD_INVALID
    assert "can be shown" in refused.message
    assert await steps_of(memory, turn_id) == []
    await record(memory, turn_id, *questions[:2], wait=True)
    assert list((await memory.turn(turn_id)).turn.pending_steps) == questions[:2]


async def test_a_turn_without_tools_does_not_look_for_any(
    memory: Memory, owner: asyncpg.Connection
) -> None:
    """It would wait here."""
    async with owner.transaction():
        await owner.execute("LOCK TABLE production_memory.tool_steps IN ACCESS EXCLUSIVE MODE")
        turn_id = await begun(memory)
        await memory.renew(turn_id)
        await memory.finish(turn_id)
        await memory.turn(turn_id)
        await memory.messages()


async def test_steps_of_an_unknown_turn_are_not_found(memory: Memory) -> None:
    unknown = await refusal(steps_of(memory, new_id("turn")))
    assert unknown.reason == Reason.REASON_TURN_NOT_FOUND


async def test_steps_of_another_tenant_are_not_found(memory: Memory) -> None:
    turn_id = await begun(memory)
    await record(memory, turn_id, step())
    stranger = memory.as_somebody()
    with stranger.somebody.acts(memory.wiring):
        for call in (steps_of(stranger, turn_id), record(stranger, turn_id, step())):
            assert (await refusal(call)).reason == Reason.REASON_TURN_NOT_FOUND


async def test_what_the_user_answered_is_not_asked_again(memory: Memory) -> None:
    """Nor does it run against their will, whatever a leader says that was away meanwhile."""
    yes, no = asked(), asked()
    turn_id = await asking(memory, yes, no)
    await answer(memory, turn_id, yes)
    await answer(memory, turn_id, no, approved=False)
    await record(memory, turn_id, yes, no, number=2)
    assert [s.state for s in await steps_of(memory, turn_id)] == [APPROVED, DENIED]
    running = [ToolStep(call=s.call, round=1, state=RUNNING) for s in (yes, no)]
    await record(memory, turn_id, *running, number=2)
    assert [s.state for s in await steps_of(memory, turn_id)] == [RUNNING, DENIED]
    await record(memory, turn_id, ended(yes), failed(no), number=2)
    assert [s.state for s in await steps_of(memory, turn_id)] == [ENDED, ENDED]


async def test_a_question_needs_its_answer_before_it_runs(memory: Memory) -> None:
    turn_id = await begun(memory)
    question = asked()
    await record(memory, turn_id, question)
    running = ToolStep(call=question.call, round=1, state=RUNNING, answer_by=Timestamp())
    await record(memory, turn_id, running)
    assert [s.state for s in await steps_of(memory, turn_id)] == [AWAITING]
