"""What commands answer."""

from kari.conversation_manager.v1.conversation_manager_pb2 import ConversationUpdate
from kari.conversation_models.v1.conversation_pb2 import (
    ContextSnapshot,
    Conversation,
    ConversationChange,
    ConversationMode,
    Persona,
    PersonaChange,
)
from kari.conversation_models.v1.model_pb2 import Model
from servers.instruction_processor import replies
from servers.instruction_processor.answers import answered
from servers.instruction_processor.commands import COMMANDS

EXPERT = Persona(name="expert", traits={"tone": "formal"})


def test_every_kind_of_change_has_its_sentence() -> None:
    for field in ConversationChange.DESCRIPTOR.fields:
        change = ConversationChange()
        if field.message_type is not None:
            getattr(change, field.name).SetInParent()
        elif field.name == "mode":
            change.mode = ConversationMode.CONVERSATION_MODE_CODE
        else:
            setattr(change, field.name, True if field.name == "clear_context" else "x")
        assert replies.done(change).endswith(".")
        assert "Until then nothing changes." in replies.asked(change)


def test_status_shows_all_there_is() -> None:
    conversation = Conversation(
        mode=ConversationMode.CONVERSATION_MODE_CODE,
        model="local/small",
        persona=EXPERT,
        pinned_message_ids=["msg_1"],
        participant_ids=["user_1", "user_2"],
        context_snapshot=ContextSnapshot(tokens=900, kept=4, cut=2),
        version=7,
    )
    made = ConversationUpdate(change=ConversationChange(title="Plans"))
    made.timestamp.FromJsonString("2026-11-22T15:01:30Z")
    text = replies.status(conversation, [made])
    assert text.endswith("latest changes**: \n  - 2026-11-22 15:01 UTC: The title is `Plans` now.")
    wanted = ("code", "`local/small`", "`expert` (tone = formal)", "`msg_1`", "`user_2`")
    assert all(word in text for word in (*wanted, "900 tokens, 4 items kept, 2 cut", "7"))


def test_status_of_a_new_conversation() -> None:
    text = replies.status(Conversation(version=1), [])
    assert "**mode**: chat" in text
    assert "chosen by the rules" in text
    assert "none yet" in text


def test_a_model_is_shown_with_those_there_are() -> None:
    away = Model(id="acme/large", context_window=8192)
    text = replies.about_model(Conversation(model="acme/plain"), [away])
    assert "The model is `acme/plain`." in text
    assert "`acme/large`: context of 8192 tokens; does not answer at the moment" in text
    assert "not known at the moment" in replies.about_model(Conversation(), None)


def test_code_spans_hold_any_text() -> None:
    assert replies.code("a") == "`a`"
    assert replies.code("a`b``c") == "```a`b``c```"
    assert replies.code("`a`") == "`` `a` ``"


def test_help_strikes_out_what_the_caller_may_not_use() -> None:
    text = replies.commands(lambda command: command.name != "model")
    assert "- ~~`/model [NAME|default]`~~:" in text
    assert "- `/set mode MODE`: Switches the mode" in text
    assert len(text.splitlines()) == len(COMMANDS)


def test_a_command_is_explained_with_choices_and_roles() -> None:
    text = replies.explained(COMMANDS["set"], allowed=False)
    assert "analysis" in text
    assert "Needs chat.mode.switch, which you lack." in text


def test_an_answered_proposal_is_the_result_of_its_command() -> None:
    change = ConversationChange(persona=PersonaChange(persona=EXPERT))
    result = answered([change], accepted=True)
    assert result.instruction.action == "persona"
    assert dict(result.instruction.parameters) == {"name": "expert", "tone": "formal"}
    assert "`expert`" in result.text
    assert "Left as it was" in answered([change], accepted=False).text
