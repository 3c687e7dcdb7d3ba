"""Commands about memories through a real server, between peers that are real servers too."""

import re

from kari.conversation_manager.v1.conversation_manager_pb2 import RememberRequest
from kari.conversation_models.v1.instruction_pb2 import InstructionType
from kari.conversation_models.v1.memory_pb2 import MemoryScope
from kari.errors.v1.errors_pb2 import Reason
from tests.instruction_processor.conftest import Desk
from tests.instruction_processor.test_processing import APPLIED, refusal


async def reply(desk: Desk, text: str, request_id: str = "") -> str:
    """What the only command of a text answers."""
    (result,) = (await desk.process(text, request_id)).results
    assert result.status == APPLIED
    return result.text


def memory_in(text: str) -> str:
    (found,) = re.findall(r"mem_[0-9a-f]{32}", text)
    return str(found)


async def test_what_is_remembered_is_listed_with_ids_to_go_on_with(desk: Desk) -> None:
    kept = memory_in(await reply(desk, "/remember I like tea"))
    listed = await reply(desk, "/memories")
    assert f"`I like tea` `{kept}`" in listed
    assert "/forget" in listed


async def test_to_remember_is_an_instruction_of_its_own_kind(desk: Desk) -> None:
    """It changes nothing of the conversation."""
    (result,) = (await desk.process("/remember I like tea")).results
    assert result.instruction.type == InstructionType.INSTRUCTION_TYPE_MEMORY
    assert not result.instruction.requires_confirmation
    assert not desk.conversations.updates


async def test_what_is_known_is_said_to_be(desk: Desk) -> None:
    await reply(desk, "/remember I like tea")
    assert "known already" in await reply(desk, "/remember I like tea")


async def test_a_repeated_request_remembers_once_and_says_the_same(desk: Desk) -> None:
    """Each line has an id of its own, so two statements of one text are two memories."""
    text = "/remember I like tea\n/remember I like rain"
    first = await desk.process(text, "req-1")
    second = await desk.process(text, "req-1")
    assert first == second
    assert len(desk.conversations.memories) == 2


async def test_a_correction_takes_the_place_of_what_was_wrong(desk: Desk) -> None:
    old = memory_in(await reply(desk, "/remember I like tea"))
    corrected = await reply(desk, f"/correct {old} I like coffee")
    assert "`I like coffee`" in corrected
    assert "takes the place of `I like tea`" in corrected
    assert old not in await reply(desk, "/memories")
    assert old in await reply(desk, "/memories past")


async def test_a_repeated_forgetting_gives_the_same_receipt(desk: Desk) -> None:
    """Though the memory is gone by then."""
    kept = memory_in(await reply(desk, "/remember I like tea"))
    first = await reply(desk, f"/forget {kept}", "req-1")
    assert "1 memory is forgotten" in first
    assert "rcpt_" in first
    assert await reply(desk, f"/forget {kept}", "req-1") == first
    assert "Nothing is remembered" in await reply(desk, "/memories past")


async def test_everything_is_forgotten_in_parts_of_a_hundred(desk: Desk) -> None:
    """What was replaced goes too, what everybody is told stays."""
    await reply(desk, "/teach We close at five")
    for part in range(11):
        lines = "\n".join(f"/remember Statement {part} {n}" for n in range(20))
        await desk.process(lines)
    forgotten = await reply(desk, "/forget all yes")
    assert "220 memories are forgotten" in forgotten
    assert forgotten.count("rcpt_") == 3
    assert "We close at five" in await reply(desk, "/memories domain")


async def test_everybody_is_taught_by_those_who_may(desk: Desk) -> None:
    """As knowledge of the domain."""
    await reply(desk, "/teach We close at five")
    (asked,) = desk.conversations.asked
    assert isinstance(asked, RememberRequest)
    assert asked.scope == MemoryScope.MEMORY_SCOPE_DOMAIN
    with desk.mesh.user(user_id=desk.user.user_id, roles=frozenset({"chat.user"})):
        refused = await refusal(desk.process("/teach We close at six"))
        assert refused.reason == Reason.REASON_ROLE_MISSING
        assert await reply(desk, "/remember I like tea")


async def test_memories_of_others_are_not_there(desk: Desk) -> None:
    kept = memory_in(await reply(desk, "/remember I like tea"))
    with desk.mesh.user():
        for text in (f"/forget {kept}", f"/correct {kept} I like mud"):
            assert (await refusal(desk.process(text))).reason == Reason.REASON_MEMORY_NOT_FOUND
        assert "Nothing is remembered" in await reply(desk, "/memories")


async def test_a_failure_says_what_was_done_before_it(desk: Desk) -> None:
    """The message behind the commands is not sent."""
    unknown = "mem_" + 32 * "0"
    error = await refusal(desk.process(f"/remember I like tea\n/forget {unknown}\nhello"))
    assert error.reason == Reason.REASON_MEMORY_NOT_FOUND
    assert error.details["done"] == "/remember"
    assert not desk.orchestrator.started


async def test_a_message_behind_the_command_is_sent(desk: Desk) -> None:
    """With what was remembered among its instructions."""
    await desk.process("/remember I like tea\nWhat should I drink?")
    (started,) = desk.orchestrator.started
    assert started.content == "What should I drink?"
    assert [i.action for i in started.instructions] == ["remember"]
