"""What was proposed is made when, and only when, the one who proposed it confirms."""

import asyncio
from datetime import UTC, datetime, timedelta

from kari.conversation_models.v1.conversation_pb2 import (
    Conversation,
    ConversationChange,
    Persona,
    PersonaChange,
)
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.ids import new_id
from tests.conversation_manager.manager import Manager
from tests.production_memory.memory import refusal

EXPERT = ConversationChange(
    persona=PersonaChange(persona=Persona(name="technical_expert", traits={"tone": "formal"}))
)


async def proposed(manager: Manager) -> tuple[Conversation, str]:
    made = await manager.create()
    return made, (await manager.propose(made.id, EXPERT)).proposal_id


async def test_a_proposal_changes_nothing_until_it_is_confirmed(manager: Manager) -> None:
    made, proposal_id = await proposed(manager)
    assert await manager.get(made.id) == made
    answered = await manager.answer(made.id, proposal_id)
    assert answered.conversation.persona == EXPERT.persona.persona
    assert list(answered.changes) == [EXPERT]
    assert await manager.get(made.id) == answered.conversation


async def test_a_proposal_lapses_after_ten_minutes(manager: Manager) -> None:
    made = await manager.create()
    response = await manager.propose(made.id, EXPERT)
    life = response.expires_at.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(minutes=9) < life <= timedelta(minutes=10)
    connection = await manager.connect(manager.somebody.tenant_id)
    await connection.execute("UPDATE proposals SET expires_at = now()")
    await connection.close()
    refused = await refusal(manager.answer(made.id, response.proposal_id))
    assert refused.reason == Reason.REASON_PROPOSAL_NOT_FOUND


async def test_a_declined_proposal_is_dropped(manager: Manager) -> None:
    made, proposal_id = await proposed(manager)
    declined = await manager.answer(made.id, proposal_id, accepted=False)
    assert declined.conversation == made
    assert list(declined.changes) == [EXPERT]
    refused = await refusal(manager.answer(made.id, proposal_id))
    assert refused.reason == Reason.REASON_PROPOSAL_NOT_FOUND


async def test_the_same_answer_again_gives_the_same_result(manager: Manager) -> None:
    """Also when both are under way at once."""
    made, proposal_id = await proposed(manager)
    answers = await asyncio.gather(*(manager.answer(made.id, proposal_id) for _ in range(5)))
    assert {answer.conversation.version for answer in answers} == {2}
    assert len((await manager.updates(made.id)).updates) == 1


async def test_only_who_proposed_can_answer(manager: Manager) -> None:
    made, proposal_id = await proposed(manager)
    colleague = manager.colleague()
    join = ConversationChange(add_participant_id=colleague.somebody.user_id)
    await manager.update(made.id, join)
    with colleague.somebody.acts(colleague.wiring):
        refused = await refusal(colleague.answer(made.id, proposal_id))
    assert refused.reason == Reason.REASON_PROPOSAL_NOT_FOUND


async def test_a_proposal_belongs_to_its_conversation(manager: Manager) -> None:
    _, proposal_id = await proposed(manager)
    other = await manager.create()
    for call in (manager.answer(other.id, proposal_id), manager.answer(other.id, new_id("prop"))):
        assert (await refusal(call)).reason == Reason.REASON_PROPOSAL_NOT_FOUND


async def test_a_role_lost_since_the_proposal_keeps_it_from_being_made(manager: Manager) -> None:
    made, proposal_id = await proposed(manager)
    poor = manager.colleague(user_id=manager.somebody.user_id, roles=frozenset({"chat.user"}))
    with poor.somebody.acts(poor.wiring):
        refused = await refusal(poor.answer(made.id, proposal_id))
        assert refused.reason == Reason.REASON_ROLE_MISSING
        assert refused.details["role"] == "chat.persona.change"
        await poor.answer(made.id, proposal_id, accepted=False)
    assert await manager.get(made.id) == made


async def test_what_cannot_be_made_is_not_proposed(manager: Manager) -> None:
    made = await manager.create()
    for change, reason in (
        (ConversationChange(pin_message_id=new_id("msg")), Reason.REASON_MESSAGE_NOT_FOUND),
        (
            ConversationChange(remove_participant_id=manager.somebody.user_id),
            Reason.REASON_FIELD_INVALID,
        ),
    ):
        assert (await refusal(manager.propose(made.id, change))).reason == reason


async def test_who_takes_no_part_cannot_propose(manager: Manager) -> None:
    made, colleague = await manager.create(), manager.colleague()
    with colleague.somebody.acts(colleague.wiring):
        refused = await refusal(colleague.propose(made.id, EXPERT))
    assert refused.reason == Reason.REASON_CONVERSATION_NOT_FOUND


async def test_a_repeated_request_gives_the_first_proposal(manager: Manager) -> None:
    """Also when several are under way at once, and when it is answered by then."""
    made = await manager.create()
    calls = (manager.propose(made.id, EXPERT, request_id="req-1") for _ in range(5))
    (proposal_id,) = {response.proposal_id for response in await asyncio.gather(*calls)}
    await manager.answer(made.id, proposal_id)
    again = await manager.propose(made.id, EXPERT, request_id="req-1")
    assert again.proposal_id == proposal_id


async def test_a_repeated_proposal_is_given_even_if_it_cannot_be_made_any_more(
    manager: Manager,
) -> None:
    made, colleague = await manager.create(), new_id("user")
    await manager.update(made.id, ConversationChange(add_participant_id=colleague))
    leave = ConversationChange(remove_participant_id=colleague)
    first = await manager.propose(made.id, leave, request_id="req-1")
    await manager.answer(made.id, first.proposal_id)
    assert await manager.propose(made.id, leave, request_id="req-1") == first


async def test_a_request_id_is_not_used_for_two_proposals(manager: Manager) -> None:
    made = await manager.create()
    await manager.propose(made.id, EXPERT, request_id="req-1")
    other = manager.propose(made.id, ConversationChange(title="x"), request_id="req-1")
    assert (await refusal(other)).reason == Reason.REASON_REQUEST_ID_REUSED
