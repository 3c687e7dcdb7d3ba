"""A turn ends once: its answer, its end and its jobs together, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.model_pb2 import Usage
from kari.conversation_models.v1.turn_pb2 import TurnState
from kari.errors.v1.errors_pb2 import ErrorEnvelope, Reason
from kari.production_memory.v1 import production_memory_pb2 as contract
from servers.runtime.ids import new_id
from tests.production_memory.memory import CANCELLED, COMPLETED, ENQUEUE, FAILED, Memory, refusal


async def test_the_answer_is_committed_with_the_end_of_its_turn(memory: Memory) -> None:
    begun = (await memory.begin()).led_turn
    degradation = Degradation(feature=Feature.FEATURE_SEMANTIC_RECALL, cause="milvus")
    usage = Usage(prompt_tokens=11, completion_tokens=3)
    ended = await memory.finish(
        begun.turn.id, "hi", usage=usage, degradations=[degradation], model_used="local/smollm2"
    )
    assert ended.turn.state == TurnState.TURN_STATE_COMPLETED
    assert (ended.turn.usage, list(ended.turn.degradations)) == (usage, [degradation])
    answer = ended.answer
    assert (answer.sequence, answer.content, answer.tokens_used) == (2, "hi", 3)
    assert (answer.turn_id, answer.reply_to_message_id) == (begun.turn.id, begun.message.id)
    assert await memory.turn(begun.turn.id) == contract.GetTurnResponse(
        turn=ended.turn, answer=answer
    )


async def test_ending_a_turn_again_gives_the_first_end(memory: Memory) -> None:
    """Also when the repetitions are under way at once, whatever they say."""
    turn_id = (await memory.begin()).led_turn.turn.id
    ended = await asyncio.gather(*(memory.finish(turn_id, str(n)) for n in range(8)))
    assert len({each.answer.id for each in ended}) == 1
    assert len((await memory.messages()).messages) == 2


async def test_the_conversation_is_free_when_its_turn_has_ended(memory: Memory) -> None:
    for state in (COMPLETED, FAILED, CANCELLED):
        turn_id = (await memory.begin()).led_turn.turn.id
        ended = await memory.finish(turn_id, "text so far", state=state)
        assert ended.turn.state == state
    assert [m.sequence for m in (await memory.messages()).messages] == [6, 5, 4, 3, 2, 1]


async def test_whoever_ends_a_turn_can_claim_the_next_one_with_it(memory: Memory) -> None:
    """In the same transaction; a repetition is given the same one."""
    first = await memory.begin("one")
    second = await memory.begin("two", when_busy=ENQUEUE)
    third = await memory.begin("three", when_busy=ENQUEUE)
    ending = {"turn_id": first.led_turn.turn.id, "next_lease": memory.lease()}
    ended = await memory.finish(**ending)
    assert ended.next_led_turn.turn.id == second.led_turn.turn.id
    assert ended.next_led_turn.message.content == "two"
    assert ended.next_led_turn.lease.number == 1
    again = await memory.finish(**ending)
    assert again.repeated_request
    assert again.next_led_turn == ended.next_led_turn
    last = await memory.finish(second.led_turn.turn.id)
    assert not last.HasField("next_led_turn")
    assert (await memory.claim()).turn.id == third.led_turn.turn.id


async def test_a_failed_turn_keeps_its_error_and_may_have_no_answer(memory: Memory) -> None:
    turn_id = (await memory.begin()).led_turn.turn.id
    error = ErrorEnvelope(message="every provider failed", reason=Reason.REASON_PROVIDERS_FAILED)
    ended = await memory.finish(turn_id, "", state=FAILED, error=error)
    assert ended.turn.error == error
    assert not ended.HasField("answer")
    assert not (await memory.turn(turn_id)).HasField("answer")


async def test_a_partial_answer_and_an_apology_are_marked(memory: Memory) -> None:
    turn_id = (await memory.begin()).led_turn.turn.id
    ended = await memory.finish(turn_id, "Sorry", state=FAILED, partial=True, apology=True)
    assert ended.answer.partial
    assert ended.answer.metadata["apology"] is True


async def test_a_turn_does_not_complete_without_an_answer(memory: Memory) -> None:
    turn_id = (await memory.begin()).led_turn.turn.id
    refused = await refusal(memory.finish(turn_id, ""))
    assert [violation.field for violation in refused.violations] == ["content"]
    assert (await memory.finish(turn_id, "hi")).answer.content == "hi"


async def test_what_no_text_can_hold_does_not_cost_the_answer(memory: Memory) -> None:
    """A model may write anything."""
    turn_id = (await memory.begin()).led_turn.turn.id
    assert (await memory.finish(turn_id, "a\0b")).answer.content == "a\ufffdb"


async def test_an_unknown_turn_cannot_end(memory: Memory) -> None:
    refused = await refusal(memory.finish(new_id("turn")))
    assert refused.reason == Reason.REASON_TURN_NOT_FOUND


async def test_calling_off_a_waiting_turn_ends_it_here_and_now(memory: Memory) -> None:
    await memory.begin()
    waiting = (await memory.begin("waits", when_busy=ENQUEUE)).led_turn.turn.id
    cancelled = (await memory.cancel(waiting)).turn
    assert cancelled.state == TurnState.TURN_STATE_CANCELLED
    assert cancelled.HasField("ended_at")
    assert (await memory.cancel(waiting)).turn == cancelled


async def test_calling_off_a_led_turn_leaves_its_end_to_the_leader(memory: Memory) -> None:
    turn_id = (await memory.begin()).led_turn.turn.id
    assert (await memory.cancel(turn_id)).turn.state == TurnState.TURN_STATE_ASSEMBLING
    ended = await memory.finish(turn_id, "so far", state=CANCELLED, partial=True)
    assert (await memory.cancel(turn_id)).turn == ended.turn


@asynccontextmanager
async def without_jobs(owner: asyncpg.Connection) -> AsyncIterator[None]:
    """Jobs cannot be enqueued, as if the server died between the answer and its job."""
    await owner.execute("REVOKE INSERT ON production_memory.pgqueuer FROM kari_production_memory")
    yield
    await owner.execute("GRANT INSERT ON production_memory.pgqueuer TO kari_production_memory")


async def test_an_answer_whose_job_is_not_kept_is_not_kept_either(
    memory: Memory, owner: asyncpg.Connection
) -> None:
    turn_id = (await memory.begin()).led_turn.turn.id
    async with without_jobs(owner):
        assert (await refusal(memory.finish(turn_id))).reason == Reason.REASON_INTERNAL
        assert len((await memory.messages()).messages) == 1
        assert (await memory.turn(turn_id)).turn.state == TurnState.TURN_STATE_ASSEMBLING
    assert (await memory.finish(turn_id)).answer.sequence == 2
