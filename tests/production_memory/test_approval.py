"""A turn that asks its user waits, durably and without a leader, and goes on once."""

import asyncio
import json
from dataclasses import replace

import pytest

from kari.conversation_models.v1.turn_pb2 import Turn, TurnState
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1 import production_memory_pb2 as contract
from servers.runtime.ids import new_id
from tests.hosting import until
from tests.production_memory.calling import (
    APPROVED,
    AWAITING,
    DENIED,
    answer,
    asked,
    asking,
    ended,
    failed,
    other_leader,
    record,
    step,
    steps_of,
)
from tests.production_memory.memory import CANCELLED, ENQUEUE, INTERRUPT, Memory, refusal

WAITING = TurnState.TURN_STATE_AWAITING_APPROVAL


def pending(turn: Turn) -> list[str]:
    """The calls about which it asks."""
    return [each.call.id for each in turn.pending_steps]


async def test_a_turn_that_asks_waits_and_says_what_it_asks(memory: Memory) -> None:
    question = asked("mail.send", arguments={"to": "Bo"}, text_before="I will mail. ")
    turn_id = await asking(memory, question, ended(step("clock")))
    turn = (await memory.turn(turn_id)).turn
    assert turn.state == WAITING
    assert list(turn.pending_steps) == [question]
    assert (await memory.messages()).active_turn == turn
    manifest = contract.GetTurnManifestRequest(turn_id=turn_id)
    assert (await memory.stub.GetTurnManifest(manifest)).turn == turn


async def test_nobody_leads_a_turn_that_asks(memory: Memory) -> None:
    turn_id = await asking(memory, asked())
    for write in (
        memory.renew(turn_id),
        memory.advance(turn_id),
        memory.finish(turn_id),
        record(memory, turn_id, step()),
    ):
        assert (await refusal(write)).reason == Reason.REASON_LEASE_LOST
    assert (await memory.turn(turn_id)).turn.state == WAITING


async def test_asking_again_changes_nothing(memory: Memory) -> None:
    """The first request was carried out, and its answer was lost."""
    one, other = asked(), asked()
    turn_id = await asking(memory, one, other)
    await answer(memory, turn_id, one)
    assert not await record(memory, turn_id, one, other, wait=True)
    assert pending((await memory.turn(turn_id)).turn) == [other.call.id]
    assert (await answer(memory, turn_id, other)).HasField("led_turn")


async def test_the_last_answer_leads_the_turn_on(memory: Memory) -> None:
    first, second = asked(), asked()
    turn_id = await asking(memory, first, second)
    half = await answer(memory, turn_id, first)
    assert not half.HasField("led_turn")
    assert (half.turn.state, pending(half.turn)) == (WAITING, [second.call.id])
    last = await answer(other_leader(memory), turn_id, second, approved=False)
    assert last.led_turn.turn == last.turn
    assert (last.turn.state, pending(last.turn)) == (WAITING, [])
    assert (last.led_turn.lease.owner, last.led_turn.lease.number) == ("orchestrator-2", 2)
    assert last.led_turn.message.content == "mail it"
    assert last.led_turn.tenant_id == memory.somebody.tenant_id
    kept = await steps_of(memory, turn_id)
    assert [each.state for each in kept] == [APPROVED, DENIED]
    assert all(each.HasField("answered_at") for each in kept)


@pytest.mark.parametrize(
    ("now", "left"),
    [
        ({"chat.user"}, {"chat.user"}),
        ({"chat.user", "chat.tools.search", "chat.tools.code"}, {"chat.user", "chat.tools.code"}),
        ({"chat.user", "chat.admin"}, {"chat.user", "chat.tools.code"}),
    ],
)
async def test_a_turn_goes_on_without_the_roles_that_its_user_has_lost(
    memory: Memory, now: set[str], left: set[str]
) -> None:
    """While it waited; one that came meanwhile it does not get."""
    somebody = replace(memory.somebody, roles=frozenset({"chat.user", "chat.tools.code"}))
    question = asked()
    with somebody.acts(memory.wiring):
        turn_id = await asking(memory, question)
    with replace(somebody, roles=frozenset(now)).acts(memory.wiring):
        led = (await answer(memory, turn_id, question)).led_turn
    assert set(led.roles) == left


async def test_who_was_answered_leads_the_turn_to_its_end(memory: Memory) -> None:
    question = asked("mail.send")
    turn_id = await asking(memory, question)
    await answer(memory, turn_id, question)
    await memory.renew(turn_id, number=2)
    await record(memory, turn_id, ended(question), number=2)
    await memory.advance(turn_id, number=2)
    finished = await memory.finish(turn_id, "Sent.", number=2)
    assert [use.tool_id for use in finished.answer.tools_called] == ["mail.send"]
    assert not finished.turn.pending_steps


async def test_the_first_answer_holds(memory: Memory) -> None:
    question = asked()
    turn_id = await asking(memory, question)
    first = await answer(memory, turn_id, question, approved=False)
    again = await answer(other_leader(memory), turn_id, question, approved=True)
    assert again.repeated_request
    assert not again.HasField("led_turn")
    assert (first.approved, again.approved) == (False, False)
    assert [each.state for each in await steps_of(memory, turn_id)] == [DENIED]


async def test_who_answers_late_is_told_which_answer_holds(memory: Memory) -> None:
    """Also once the call has run, or was refused for it."""
    yes, no = asked(), asked()
    turn_id = await asking(memory, yes, no)
    await answer(memory, turn_id, yes)
    await answer(memory, turn_id, no, approved=False)
    denied = failed(no)
    denied.result.error.reason = Reason.REASON_APPROVAL_DENIED
    await record(memory, turn_id, failed(yes), denied, number=2)
    for question, held in ((yes, True), (no, False)):
        late = await answer(other_leader(memory), turn_id, question, approved=not held)
        assert (late.repeated_request, late.approved) == (True, held)


async def test_who_lost_the_response_is_given_its_claim_again(memory: Memory) -> None:
    question = asked()
    turn_id = await asking(memory, question)
    first = await answer(memory, turn_id, question)
    again = await answer(memory, turn_id, question)
    assert again.repeated_request
    assert again.led_turn == first.led_turn
    await record(memory, turn_id, ended(question), number=2)
    begun = await answer(memory, turn_id, question)
    assert begun.repeated_request
    assert not begun.HasField("led_turn")


async def test_only_the_user_of_the_turn_is_asked(memory: Memory) -> None:
    question = asked()
    turn_id = await asking(memory, question)
    colleague = memory.as_somebody(tenant_id=memory.somebody.tenant_id)
    with colleague.somebody.acts(memory.wiring):
        refused = await refusal(answer(colleague, turn_id, question))
    assert refused.reason == Reason.REASON_CALL_NOT_FOUND
    stranger = memory.as_somebody()
    with stranger.somebody.acts(memory.wiring):
        refused = await refusal(answer(stranger, turn_id, question))
    assert refused.reason == Reason.REASON_TURN_NOT_FOUND
    assert pending((await memory.turn(turn_id)).turn) == [question.call.id]


async def test_what_was_not_asked_cannot_be_answered(memory: Memory) -> None:
    question, running = asked(), step()
    turn_id = await asking(memory, question, running)
    for other in (step(), running):
        refused = await refusal(answer(memory, turn_id, other))
        assert refused.reason == Reason.REASON_CALL_NOT_FOUND
    refused = await refusal(answer(memory, new_id("turn"), question))
    assert refused.reason == Reason.REASON_TURN_NOT_FOUND


async def test_an_answer_that_comes_too_late_is_none(memory: Memory) -> None:
    question = asked(seconds=0.001)
    turn_id = await asking(memory, question)
    await asyncio.sleep(0.002)
    refused = await refusal(answer(memory, turn_id, question))
    assert refused.reason == Reason.REASON_CALL_NOT_FOUND


async def test_a_turn_whose_user_did_not_answer_in_time_is_handed_out(memory: Memory) -> None:
    question = asked(seconds=0.001)
    turn_id = await asking(memory, question)
    (led,) = await until(memory.claim_abandoned)
    assert (led.turn.id, led.turn.state, led.lease.number) == (turn_id, WAITING, 2)
    assert pending(led.turn) == [question.call.id]
    assert await memory.claim_abandoned() == []
    refused = await refusal(answer(memory, turn_id, question))
    assert refused.reason == Reason.REASON_CALL_NOT_FOUND
    await record(memory, turn_id, ended(question), number=2)


async def test_a_turn_that_waits_within_time_is_not_abandoned(memory: Memory) -> None:
    """However long its leader's lease is over, and whatever else has lapsed."""
    brief = replace(memory, lease_seconds=0.001)
    lapsed, open_ = asked(seconds=0.001), asked()
    turn_id = await asking(brief, lapsed, open_)
    await asyncio.sleep(0.01)
    assert await memory.claim_abandoned() == []
    assert (await memory.turn(turn_id)).turn.state == WAITING
    last = await answer(memory, turn_id, open_)
    assert last.HasField("led_turn")
    assert [each.state for each in await steps_of(memory, turn_id)] == [AWAITING, APPROVED]


async def test_an_answered_turn_whose_leader_died_is_handed_out(memory: Memory) -> None:
    question = asked()
    turn_id = await asking(memory, question)
    dead = replace(memory, owner="dead", lease_seconds=0.001)
    assert (await answer(dead, turn_id, question)).HasField("led_turn")
    (led,) = await until(memory.claim_abandoned)
    assert (led.turn.id, led.turn.state, led.lease.number) == (turn_id, WAITING, 3)
    late = await refusal(record(dead, turn_id, ended(question), number=2))
    assert late.reason == Reason.REASON_LEASE_LOST
    await record(memory, turn_id, ended(question), number=3)


async def test_of_two_answers_at_once_one_leads(memory: Memory) -> None:
    questions = [asked() for _ in range(4)]
    turn_id = await asking(memory, *questions)
    leaders = [other_leader(memory, f"orchestrator-{i}") for i in range(8)]
    answers = await asyncio.gather(
        *(answer(leaders[i], turn_id, questions[i % 4]) for i in range(8))
    )
    led = [each.led_turn.lease for each in answers if each.HasField("led_turn")]
    assert [lease.number for lease in led] == [2]
    assert sum(each.repeated_request for each in answers) == 4


async def test_an_answer_and_a_cancel_at_once_are_one_of_both(memory: Memory) -> None:
    for _ in range(5):
        mine = replace(memory, conversation_id=new_id("conv"))
        question = asked()
        turn_id = await asking(mine, question)
        answered, _ = await asyncio.gather(
            answer(mine, turn_id, question), mine.cancel(turn_id), return_exceptions=True
        )
        turn = (await mine.turn(turn_id)).turn
        if isinstance(answered, BaseException):
            assert turn.state == CANCELLED
        else:
            assert turn.state == WAITING
            assert (await mine.renew(turn_id, number=2)).cancel_requested


async def test_two_sweepers_and_an_answer_at_once_give_one_leader(memory: Memory) -> None:
    question, lapsed = asked(), asked(seconds=0.001)
    turn_id = await asking(memory, lapsed, question)
    sweepers = [other_leader(memory, f"sweeper-{i}") for i in range(2)]
    answered, *swept = await asyncio.gather(
        answer(memory, turn_id, question), *(each.claim_abandoned() for each in sweepers)
    )
    assert answered.led_turn.lease.number == 2
    assert swept == [[], []]


async def test_a_cancelled_question_ends_the_turn_with_what_was_said(memory: Memory) -> None:
    question = asked(round=2, text_before="Now I mail it.")
    turn_id = await asking(memory, ended(step(text_before="I looked it up. ")), question)
    turn = (await memory.cancel(turn_id)).turn
    assert turn.state == CANCELLED
    assert not turn.pending_steps
    said = (await memory.turn(turn_id)).answer
    assert (said.content, said.partial) == ("I looked it up. Now I mail it.", True)
    assert [use.tool_id for use in said.tools_called] == ["calculator"]
    assert (await memory.recent())[-1] == said
    refused = await refusal(answer(memory, turn_id, question))
    assert refused.reason == Reason.REASON_CALL_NOT_FOUND
    assert (await memory.cancel(turn_id)).turn == turn


async def test_a_cancelled_question_without_text_leaves_no_answer(memory: Memory) -> None:
    turn_id = await asking(memory, asked())
    turn = (await memory.cancel(turn_id)).turn
    assert (turn.state, turn.assistant_message_id) == (CANCELLED, "")
    assert [m.content for m in (await memory.messages()).messages] == ["mail it"]


async def test_a_turn_that_was_called_off_before_does_not_wait(memory: Memory) -> None:
    turn_id = (await memory.begin()).led_turn.turn.id
    await memory.cancel(turn_id)
    assert await record(memory, turn_id, asked(), wait=True)
    assert (await memory.finish(turn_id, "", state=CANCELLED)).turn.state == CANCELLED


async def test_a_turn_that_asks_is_in_the_way_of_others(memory: Memory) -> None:
    turn_id = await asking(memory, asked())
    refused = await refusal(memory.begin("and now?"))
    assert refused.reason == Reason.REASON_TURN_ACTIVE
    assert refused.details["turn_id"] == turn_id
    queued = (await memory.begin("and now?", when_busy=ENQUEUE)).led_turn
    assert queued.turn.state == TurnState.TURN_STATE_ACCEPTED
    assert await memory.claim() is None
    await memory.cancel(turn_id)
    next_led = await memory.claim()
    assert next_led is not None
    assert next_led.turn.id == queued.turn.id


@pytest.mark.parametrize("queued", [False, True])
async def test_an_interrupting_message_ends_the_question_and_goes_first(
    memory: Memory, queued: bool
) -> None:
    turn_id = await asking(memory, asked(text_before="I will mail it."))
    if queued:
        await memory.begin("later", when_busy=ENQUEUE)
    begun = await memory.begin("never mind", when_busy=INTERRUPT)
    assert list(begun.interrupted_turn_ids) == [turn_id]
    assert begun.led_turn.turn.state == TurnState.TURN_STATE_ASSEMBLING
    assert begun.led_turn.HasField("lease")
    assert (await memory.turn(turn_id)).turn.state == CANCELLED
    said = [m.content for m in await memory.recent()]
    assert said == ["mail it", *(["later"] if queued else []), "I will mail it.", "never mind"]


async def test_questions_beside_a_full_page_of_messages_fit_into_a_response(
    memory: Memory,
) -> None:
    for _ in range(11):
        await memory.exchange("q" * 100_000, "a" * 100_000)
    big = {"text": "x" * 190_000}
    turn_id = await asking(memory, *(asked(arguments=big) for _ in range(2)))
    page = await memory.messages()
    assert page.active_turn.id == turn_id
    shown = [each.call.arguments_json for each in page.active_turn.pending_steps]
    assert shown == [json.dumps(big)] * 2


async def test_a_repeated_beginning_meets_the_question(memory: Memory) -> None:
    question = asked()
    begun = await memory.begin("mail it", request_id="once")
    turn_id = begun.led_turn.turn.id
    await record(memory, turn_id, question, wait=True)
    again = await memory.begin("mail it", request_id="once")
    assert again.repeated_request
    assert not again.led_turn.HasField("lease")
    assert pending(again.led_turn.turn) == [question.call.id]
