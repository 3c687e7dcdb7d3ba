"""Commands: parsed, checked, applied, versioned, kept."""

import asyncio
import re
import secrets

from kari.chat_hub.v1.chat_hub_pb2 import (
    AnswerProposalRequest,
    GetConversationRequest,
    ListCommandsRequest,
)
from kari.conversation_models.v1.conversation_pb2 import Conversation, ConversationMode
from kari.conversation_models.v1.instruction_pb2 import InstructionStatus
from kari.errors.v1.errors_pb2 import Reason
from tests.flow.conftest import Mesh
from tests.socket_client import SocketClient, opened


async def conversation(client: SocketClient, conversation_id: str) -> Conversation:
    frame = await client.ask(conversation=GetConversationRequest(conversation_id=conversation_id))
    return frame.result.conversation.conversation


async def test_a_mode_is_set_and_kept(mesh: Mesh) -> None:
    """The command changes the state, the state has a version."""
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, _ = await client.turn("begin")
        before = await conversation(client, ack.conversation_id)
        await client.command("/set mode analysis", ack.conversation_id)
        after = await conversation(client, ack.conversation_id)
    assert after.mode == ConversationMode.CONVERSATION_MODE_ANALYSIS
    assert after.version == before.version + 1


async def test_a_persona_asks_before_it_is_taken(mesh: Mesh) -> None:
    """Nothing changes until the answer."""
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, _ = await client.turn("begin")
        asked = await client.command("/persona technical_expert tone=formal", ack.conversation_id)
        (result,) = asked.ack.results
        before = await conversation(client, ack.conversation_id)
        await client.ask(
            answer=AnswerProposalRequest(
                conversation_id=ack.conversation_id, proposal_id=result.proposal_id, accepted=True
            )
        )
        after = await conversation(client, ack.conversation_id)
    assert result.status == InstructionStatus.INSTRUCTION_STATUS_NEEDS_CONFIRMATION
    assert not before.HasField("persona")
    assert after.persona.traits["tone"] == "formal"


async def test_a_pin_stays_in_the_context_after_clearing(mesh: Mesh) -> None:
    """Cleared messages stay away, the pin does not."""
    async with opened(mesh.kari, await mesh.token()) as client:
        secret, other = secrets.token_hex(6), secrets.token_hex(6)
        ack, events = await client.turn(f"remember {secret}")
        message = events[0].accepted.message.id
        await client.command(f"/pin {message}", ack.conversation_id)
        await client.turn(f"forget {other}", ack.conversation_id)
        await client.command("/clear context", ack.conversation_id)
        await client.turn("and now", ack.conversation_id)
    prompt = str(mesh.upstream.requests[-1])
    assert secret in prompt
    assert other not in prompt


async def test_a_command_and_a_message_in_one_text(mesh: Mesh) -> None:
    """The command is done first, the rest is answered."""
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, frame_id = await client.say("/set mode creative\nwrite a poem")
        events = await client.events(frame_id)
        state = await conversation(client, ack.conversation_id)
    assert events[-1].HasField("completed")
    assert events[0].accepted.message.content == "write a poem"
    assert state.mode == ConversationMode.CONVERSATION_MODE_CREATIVE


async def test_an_unknown_command_says_what_there_is(mesh: Mesh) -> None:
    """Nothing is sent to the model."""
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, _ = await client.turn("begin")
        frame = await client.command("/hepl", ack.conversation_id)
    assert frame.error.reason == Reason.REASON_COMMAND_UNKNOWN
    assert "/help" in frame.error.message


async def test_a_role_that_is_missing_is_named(mesh: Mesh) -> None:
    """A plain user may not change the configuration."""
    async with opened(mesh.kari, await mesh.plain_token()) as client:
        ack, _ = await client.turn("begin")
        frame = await client.command("/set mode analysis", ack.conversation_id)
        state = await conversation(client, ack.conversation_id)
    assert frame.error.reason == Reason.REASON_ROLE_MISSING
    assert frame.error.details["role"] == "chat.mode.switch"
    assert state.mode != ConversationMode.CONVERSATION_MODE_ANALYSIS


async def test_commands_are_listed_with_what_the_user_may(mesh: Mesh) -> None:
    """For the page's completion."""
    async with opened(mesh.kari, await mesh.plain_token()) as client:
        frame = await client.ask(commands=ListCommandsRequest())
    allowed = {c.name: c.allowed for c in frame.result.commands.commands}
    assert allowed["help"]
    assert not allowed["set"]
    assert {"model", "persona", "system", "pin", "unpin", "clear", "title"} <= set(allowed)
    assert {"participants", "status"} <= set(allowed)


async def reply(client: SocketClient, text: str, conversation_id: str = "") -> str:
    """What a command answers."""
    frame = await client.command(text, conversation_id)
    (result,) = frame.ack.results
    assert result.status == InstructionStatus.INSTRUCTION_STATUS_APPLIED
    return result.text


async def test_something_is_remembered_listed_corrected_used_and_forgotten(mesh: Mesh) -> None:
    """From the command to the prompt of another conversation, and out of it again."""
    async with opened(mesh.kari, await mesh.token()) as client:
        animal, other = secrets.token_hex(6), secrets.token_hex(6)
        said = await reply(client, f"/remember My wombat is called {animal}")
        assert said.startswith("Remembered: ")
        memory_id = re.findall(r"mem_[0-9a-f]{32}", said)[0]
        assert "known already" in await reply(client, f"/remember My wombat is called {animal}")
        assert memory_id in await reply(client, "/memories")
        corrected = await reply(client, f"/correct {memory_id} My wombat is called {other}")
        newer = re.findall(r"mem_[0-9a-f]{32}", corrected)[0]
        listed = await reply(client, "/memories")
        assert newer in listed
        assert memory_id not in listed
        assert memory_id in await reply(client, "/memories past")
        while other not in str(mesh.upstream.requests[-1:]):
            await client.turn("What is the name of my wombat, please?")
        forgotten = await reply(client, f"/forget {newer}")
        assert "2 memories are forgotten" in forgotten
        assert "rcpt_" in forgotten
        assert other not in await reply(client, "/memories past")
        await client.turn("What is the name of my wombat, again?")
        told = str(mesh.upstream.requests[-1])
        assert animal not in told
        assert other not in told


async def test_what_a_message_states_is_learned_and_used_elsewhere(mesh: Mesh) -> None:
    """Without being asked for; in a conversation of its own afterwards."""
    async with opened(mesh.kari, await mesh.token()) as client:
        stone = secrets.token_hex(6)
        await client.turn(f"Hi! My favourite gemstone is {stone}. How are you?")
        while stone not in (listed := await reply(client, "/memories")):
            await asyncio.sleep(0.1)
        assert f"The user's favourite gemstone is {stone}." in listed
        while stone not in str(mesh.upstream.requests[-1:]):
            await client.turn("Which gemstone is my favourite?")
        memory_id = re.findall(r"mem_[0-9a-f]{32}", listed)[0]
        assert "forgotten" in await reply(client, f"/forget {memory_id}")
        assert stone not in await reply(client, "/memories past")


async def test_forgetting_everything_is_said_twice(mesh: Mesh) -> None:
    async with opened(mesh.kari, await mesh.token()) as client:
        await reply(client, f"/remember I collect {secrets.token_hex(6)}")
        refused = await client.command("/forget all", "")
        assert refused.error.details["usage"]
        assert "forgotten" in await reply(client, "/forget all yes")
        assert "Nothing is remembered" in await reply(client, "/memories past")
        assert "nothing to forget" in await reply(client, "/forget all yes")


async def test_a_search_finds_what_was_said_and_an_answer_is_explained(mesh: Mesh) -> None:
    async with opened(mesh.kari, await mesh.token()) as client:
        word = secrets.token_hex(6)
        ack, _ = await client.turn(f"the {word} of the garden")
        elsewhere, _ = await client.turn("another conversation")
        found = await reply(client, f"/search {word}", elsewhere.conversation_id)
        assert f"in *the {word} of the garden*: the **{word}** of the garden" in found
        here = await reply(client, f"/search here {word}", elsewhere.conversation_id)
        assert here.startswith("Nothing was found.")
        why = await reply(client, "/why", ack.conversation_id)
        assert "1 system, 1 current" in why
        assert ack.turn.id in why
        named = await reply(client, f"/why {ack.turn.id}", elsewhere.conversation_id)
        assert ack.turn.id in named
