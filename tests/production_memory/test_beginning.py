"""A message is taken in once, in order, with its turn."""

import asyncio
from dataclasses import replace

import pytest

from kari.conversation_models.v1.turn_pb2 import TurnState
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.ids import new_id
from tests.production_memory.memory import ENQUEUE, INTERRUPT, Memory, refusal


async def test_a_message_is_committed_with_its_turn_and_the_caller_leads(memory: Memory) -> None:
    led = (await memory.begin("What is a lease?")).led_turn
    assert led.turn.state == TurnState.TURN_STATE_ASSEMBLING
    assert (led.lease.owner, led.lease.number) == (memory.owner, 1)
    assert (led.message.content, led.message.sequence) == ("What is a lease?", 1)
    assert (led.tenant_id, list(led.roles)) == (memory.somebody.tenant_id, ["chat.user"])
    page = await memory.messages()
    assert list(page.messages) == [led.message]
    assert page.active_turn == led.turn


async def test_a_second_message_is_refused_while_a_turn_runs(memory: Memory) -> None:
    """The refusal names the turn that is in the way, and may be tried again."""
    running = (await memory.begin()).led_turn.turn
    refused = await refusal(memory.begin("and another"))
    assert refused.reason == Reason.REASON_TURN_ACTIVE
    assert refused.retryable
    assert refused.details["turn_id"] == running.id


async def test_of_two_messages_at_once_one_wins(memory: Memory) -> None:
    outcomes = await asyncio.gather(
        *(memory.begin(str(n)) for n in range(2)), return_exceptions=True
    )
    assert sorted(isinstance(outcome, Exception) for outcome in outcomes) == [False, True]
    assert len((await memory.messages()).messages) == 1


async def test_repeating_a_request_gives_the_first_turn(memory: Memory) -> None:
    """Also when the repetitions are under way at once: nothing is written twice."""
    begun = await asyncio.gather(*(memory.begin("hello", request_id="r1") for _ in range(8)))
    assert len({each.led_turn.turn.id for each in begun}) == 1
    assert sorted(each.repeated_request for each in begun) == [False] + [True] * 7
    assert len((await memory.messages()).messages) == 1


async def test_a_repeated_request_gives_the_lease_to_its_owner_only(memory: Memory) -> None:
    """An answer that was lost on the way is asked for again; another process leads nothing."""
    await memory.begin(request_id="r1")
    mine = await memory.begin(request_id="r1")
    others = await replace(memory, owner="orchestrator-2").begin(request_id="r1")
    assert mine.led_turn.lease.number == 1
    assert others.repeated_request
    assert not others.led_turn.HasField("lease")


async def test_a_request_id_cannot_be_used_for_another_message(memory: Memory) -> None:
    await memory.begin("one", request_id="r1")
    refused = await refusal(memory.begin("two", request_id="r1"))
    assert refused.reason == Reason.REASON_REQUEST_ID_REUSED


async def test_a_request_id_is_known_in_its_conversation_only(memory: Memory) -> None:
    first = await memory.begin(request_id="r1")
    second = await replace(memory, conversation_id=new_id("conv")).begin(request_id="r1")
    assert first.led_turn.turn.id != second.led_turn.turn.id


async def test_enqueued_messages_wait_in_the_order_in_which_they_came(memory: Memory) -> None:
    begun = [await memory.begin(str(n), when_busy=ENQUEUE) for n in range(3)]
    assert not begun[1].led_turn.HasField("lease")
    assert begun[1].led_turn.turn.state == TurnState.TURN_STATE_ACCEPTED
    order = [begun[0].led_turn.message.content]
    led = begun[0].led_turn
    for _ in range(2):
        await memory.finish(led.turn.id)
        led = await memory.claim()
        order.append(led.message.content)
    assert order == ["0", "1", "2"]


async def test_messages_at_once_have_sequences_without_gaps(memory: Memory) -> None:
    begun = await asyncio.gather(*(memory.begin(str(n), when_busy=ENQUEUE) for n in range(11)))
    assert sorted(each.led_turn.message.sequence for each in begun) == list(range(1, 12))
    assert sum(each.led_turn.HasField("lease") for each in begun) == 1


async def test_a_message_is_not_led_while_others_wait_before_it(memory: Memory) -> None:
    """Between the end of a turn and the claim of the next one, nobody pushes in."""
    running = await memory.begin()
    await memory.begin("waits", when_busy=ENQUEUE)
    await memory.finish(running.led_turn.turn.id)
    assert (await refusal(memory.begin("pushes in"))).reason == Reason.REASON_TURN_ACTIVE


async def test_an_interrupting_message_calls_off_the_running_turn_and_goes_next(
    memory: Memory,
) -> None:
    running = (await memory.begin()).led_turn.turn.id
    await memory.begin("waits", when_busy=ENQUEUE)
    urgent = await memory.begin("stop that", when_busy=INTERRUPT)
    assert list(urgent.interrupted_turn_ids) == [running]
    assert (await memory.renew(running)).cancel_requested
    await memory.finish(running)
    assert (await memory.claim()).message.content == "stop that"


async def test_reply_mentions_model_and_instructions_are_kept(memory: Memory) -> None:
    first = await memory.exchange("question", "answer")
    mentioned = [new_id("user")]
    led = (
        await memory.begin(
            reply_to_message_id=first.answer.id,
            mentioned_user_ids=mentioned,
            model="local/smollm2-135m",
            instructions=[{"action": "model"}],
        )
    ).led_turn
    assert led.message.reply_to_message_id == first.answer.id
    assert list(led.message.mentioned_user_ids) == mentioned
    assert (led.model, led.instructions[0].action) == ("local/smollm2-135m", "model")


async def test_a_reply_to_a_message_of_another_conversation_is_refused(memory: Memory) -> None:
    elsewhere = replace(memory, conversation_id=new_id("conv"))
    theirs = (await elsewhere.begin()).led_turn.message.id
    for message_id in (theirs, new_id("msg")):
        refused = await refusal(memory.begin(reply_to_message_id=message_id))
        assert refused.reason == Reason.REASON_MESSAGE_NOT_FOUND
    assert (await memory.messages()).messages == []


@pytest.mark.parametrize("content", ["", "x" * 100_001, "nul \0 in it"])
async def test_texts_that_cannot_be_kept_are_refused_by_name(memory: Memory, content: str) -> None:
    refused = await refusal(memory.begin(content))
    assert refused.reason == Reason.REASON_FIELD_INVALID
    assert [violation.field for violation in refused.violations] == ["content"]


async def test_texts_in_any_script_come_back_as_they_were(memory: Memory) -> None:
    text = "日本語 🎉 \N{RIGHT-TO-LEFT OVERRIDE} \r\n\t '; DROP TABLE messages; -- \\x00 %s {0}"
    await memory.begin(text)
    assert (await memory.messages()).messages[0].content == text


async def test_only_so_many_messages_wait_in_a_conversation(memory: Memory) -> None:
    """Also when they come at once; a repeated one is not a further one, and an end makes room."""
    limit = memory.wiring.settings.waiting_turns_per_conversation
    begun = await asyncio.gather(
        *(memory.begin(request_id=f"r{n}", when_busy=ENQUEUE) for n in range(limit + 4)),
        return_exceptions=True,
    )
    accepted = [each for each in begun if not isinstance(each, BaseException)]
    assert len(accepted) == limit + 1
    refused = await refusal(memory.begin(when_busy=INTERRUPT))
    assert (refused.reason, refused.retryable) == (Reason.REASON_MESSAGE_RATE, True)
    assert refused.details["limit"] == str(limit)
    request_id = accepted[-1].led_turn.turn.request_id
    assert (await memory.begin(request_id=request_id, when_busy=ENQUEUE)).repeated_request
    led = next(each.led_turn for each in accepted if each.led_turn.HasField("lease"))
    await memory.finish(led.turn.id)
    await memory.claim()
    assert not (await memory.begin(when_busy=ENQUEUE)).repeated_request


async def test_only_so_many_turns_of_a_user_are_open(memory: Memory) -> None:
    """In all conversations together, also when they begin at once; others are not held up."""
    limit = memory.wiring.settings.turns_per_user
    everywhere = [replace(memory, conversation_id=new_id("conv")) for _ in range(limit + 5)]
    begun = await asyncio.gather(*(each.begin() for each in everywhere), return_exceptions=True)
    accepted = [each for each in begun if not isinstance(each, BaseException)]
    assert len(accepted) == limit
    refused = await refusal(memory.begin())
    assert (refused.reason, refused.details["limit"]) == (Reason.REASON_MESSAGE_RATE, str(limit))
    colleague = memory.as_somebody(tenant_id=memory.somebody.tenant_id)
    with colleague.somebody.acts(colleague.wiring):
        await colleague.begin()
    await memory.finish(accepted[0].led_turn.turn.id)
    await memory.begin()
