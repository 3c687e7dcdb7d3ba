"""A turn has one leader; one who was silent for too long cannot write any more."""

import asyncio
from dataclasses import replace

from kari.conversation_models.v1.context_pb2 import ContextManifest
from kari.conversation_models.v1.model_pb2 import Model, ModelSelection
from kari.conversation_models.v1.turn_pb2 import TurnState
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1 import production_memory_pb2 as contract
from servers.runtime.call import Call, acting
from servers.runtime.ids import new_correlation_id, new_id
from tests.hosting import until
from tests.production_memory.memory import ENQUEUE, Memory, refusal


def silent(memory: Memory) -> Memory:
    """A leader whose lease is over as soon as it has it."""
    return replace(memory, owner="silent", lease_seconds=0.001)


async def swept(memory: Memory) -> contract.LedTurn:
    (led,) = await until(memory.claim_abandoned)
    return led


async def test_advancing_records_the_model_and_the_context(memory: Memory) -> None:
    turn_id = (await memory.begin()).led_turn.turn.id
    selection = ModelSelection(model=Model(id="local/smollm2-135m"), explanation="the default")
    called_off = await memory.advance(
        turn_id, selection=selection, manifest=ContextManifest(tokens=7)
    )
    assert not called_off
    turn = (await memory.turn(turn_id)).turn
    assert turn.state == TurnState.TURN_STATE_GENERATING
    assert turn.selection == selection


async def test_a_leader_learns_that_its_turn_was_called_off(memory: Memory) -> None:
    turn_id = (await memory.begin()).led_turn.turn.id
    assert not (await memory.renew(turn_id)).cancel_requested
    await memory.cancel(turn_id)
    assert (await memory.renew(turn_id)).cancel_requested
    assert await memory.advance(turn_id)


async def test_a_silent_leader_is_replaced_and_fenced_off(memory: Memory) -> None:
    turn_id = (await silent(memory).begin()).led_turn.turn.id
    taken = await swept(memory)
    assert (taken.turn.id, taken.lease.number) == (turn_id, 2)
    late = (
        memory.renew(turn_id, number=1),
        memory.advance(turn_id, number=1),
        memory.finish(turn_id, number=1),
    )
    for call in late:
        assert (await refusal(call)).reason == Reason.REASON_LEASE_LOST
    assert (await memory.finish(turn_id, "from the new leader", number=2)).answer.sequence == 2


async def test_an_old_leader_is_fenced_off_after_the_end_too(memory: Memory) -> None:
    """What it would have written is not what was committed."""
    turn_id = (await silent(memory).begin()).led_turn.turn.id
    await swept(memory)
    await memory.finish(turn_id, "new", number=2)
    late = await refusal(memory.finish(turn_id, "old", number=1))
    assert late.reason == Reason.REASON_LEASE_LOST


async def test_a_lease_whose_time_is_over_still_writes_if_nobody_took_it(memory: Memory) -> None:
    slow = silent(memory)
    turn_id = (await slow.begin()).led_turn.turn.id
    assert (await slow.finish(turn_id)).turn.state == TurnState.TURN_STATE_COMPLETED


async def test_a_turn_is_left_alone_while_its_leader_gives_signs_of_life(memory: Memory) -> None:
    turn_id = (await silent(memory).begin()).led_turn.turn.id
    await memory.renew(turn_id)
    assert await memory.claim_abandoned() == []


async def test_writing_to_an_ended_turn_is_refused(memory: Memory) -> None:
    turn_id = (await memory.exchange("question", "answer")).turn.id
    for call in (memory.renew(turn_id), memory.advance(turn_id)):
        assert (await refusal(call)).reason == Reason.REASON_TURN_ENDED


async def test_nothing_is_claimed_while_the_conversation_is_busy_or_empty(memory: Memory) -> None:
    assert await memory.claim() is None
    await memory.begin()
    await memory.begin("waits", when_busy=ENQUEUE)
    assert await memory.claim() is None


async def test_of_several_claims_at_once_one_gets_the_turn(memory: Memory) -> None:
    running = await memory.begin()
    await memory.begin("waits", when_busy=ENQUEUE)
    await memory.finish(running.led_turn.turn.id)
    claims = await asyncio.gather(*(memory.claim() for _ in range(6)))
    assert sum(claim is not None for claim in claims) == 1


async def test_a_waiting_turn_whose_creator_died_is_swept_up(memory: Memory) -> None:
    """Its conversation is free, and nobody came for it."""
    running = await memory.begin()
    await memory.begin("waits", when_busy=ENQUEUE)
    await memory.finish(running.led_turn.turn.id)
    taken = await swept(replace(memory, lease_seconds=0.001))
    assert taken.message.content == "waits"
    assert (taken.turn.state, taken.lease.number) == (TurnState.TURN_STATE_ASSEMBLING, 1)


async def test_a_waiting_turn_is_left_alone_until_a_lease_has_passed(memory: Memory) -> None:
    """Whoever ended the turn before it is about to claim it."""
    running = await memory.begin()
    await memory.begin("waits", when_busy=ENQUEUE)
    await memory.finish(running.led_turn.turn.id)
    assert await replace(memory, lease_seconds=3600).claim_abandoned() == []


async def test_an_abandoned_turn_is_handed_out_in_the_state_in_which_it_was_left(
    memory: Memory,
) -> None:
    leader = silent(memory)
    turn_id = (await leader.begin()).led_turn.turn.id
    await leader.advance(turn_id)
    assert (await swept(memory)).turn.state == TurnState.TURN_STATE_GENERATING


async def test_several_sweepers_share_the_abandoned_turns(memory: Memory) -> None:
    for _ in range(6):
        await silent(replace(memory, conversation_id=new_id("conv"))).begin()
    found: list[str] = []
    while len(found) < 6:
        for claimed in await asyncio.gather(*(memory.claim_abandoned() for _ in range(3))):
            found += [led.turn.id for led in claimed if led.tenant_id == memory.somebody.tenant_id]
    assert len(set(found)) == 6


async def test_sweeping_needs_no_user_and_covers_every_tenant(memory: Memory) -> None:
    other = memory.as_somebody()
    await silent(memory).begin()
    with other.somebody.acts(other.wiring):
        await silent(other).begin()
    wanted = {memory.somebody.tenant_id, other.somebody.tenant_id}
    found: set[str] = set()
    request = contract.ClaimAbandonedTurnsRequest(lease=memory.lease())
    with acting(Call(new_correlation_id())):
        while not wanted <= found:
            claimed = (await memory.stub.ClaimAbandonedTurns(request)).led_turns
            found |= {led.tenant_id for led in claimed}
            ours = [led for led in claimed if led.tenant_id in wanted]
            assert all(led.message.content == "hello" for led in ours)


async def test_a_lease_without_end_is_refused(memory: Memory) -> None:
    for seconds in (0, -1, 86400):
        refused = await refusal(replace(memory, lease_seconds=seconds).begin())
        assert refused.violations[0].field == "lease.duration"
