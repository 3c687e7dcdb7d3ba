"""The registry: every command reads, is refused and explains itself."""

import pytest

from kari.conversation_models.v1.conversation_pb2 import ConversationMode
from kari.conversation_models.v1.instruction_pb2 import InstructionType
from kari.errors.v1.errors_pb2 import Reason
from servers.instruction_processor.commands import COMMANDS, command_of
from servers.instruction_processor.parsing import parts_of
from servers.instruction_processor.steps import Step, steps_of
from servers.runtime.call import Principal
from servers.runtime.errors import Forbidden, InvalidRequest, NotFound

ADMIN = Principal("user_1", "acme", frozenset({"chat.admin"}))
PLAIN = Principal("user_2", "acme", frozenset({"chat.user"}))


def step(text: str, who: Principal = ADMIN) -> Step:
    (only,) = steps_of(parts_of(text).lines, who)
    return only


def refused(text: str) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as error:
        step(text)
    return error.value


def test_all_commands_of_the_product_are_there() -> None:
    assert " ".join(COMMANDS) == (
        "clear correct forget help memories model participants persona pin remember search set "
        "status system teach title unpin why"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_read_and_every_usage_names_its_command(name: str) -> None:
    command = COMMANDS[name]
    example = step(command.example)
    assert example.asks == (command.change is None and not command.remembers)
    assert command.usage.split()[0] == f"/{name}"
    assert command.summary.endswith(".")


def test_the_roles_are_those_of_the_contract() -> None:
    needed = {name: command.required_roles() for name, command in COMMANDS.items()}
    assert {name: roles for name, roles in needed.items() if roles} == {
        "model": ["chat.config.edit"],
        "persona": ["chat.persona.change"],
        "set": ["chat.mode.switch"],
        "system": ["chat.config.edit"],
        "teach": ["chat.config.edit"],
    }


def test_the_modes_are_those_of_the_contract() -> None:
    assert COMMANDS["set"].choices == (
        "chat",
        "analysis",
        "creative",
        "technical",
        "code",
        "summarization",
    )
    change = step("/set mode ANALYSIS").change()
    assert change.mode == ConversationMode.CONVERSATION_MODE_ANALYSIS


def test_a_persona_has_traits_and_asks_first() -> None:
    asked = step('/persona technical_expert tone=formal style="short and dry"')
    assert asked.instruction.requires_confirmation
    assert asked.instruction.type == InstructionType.INSTRUCTION_TYPE_PERSONA_CHANGE
    persona = asked.change().persona.persona
    assert persona.name == "technical_expert"
    assert dict(persona.traits) == {"tone": "formal", "style": "short and dry"}


@pytest.mark.parametrize("text", ["/model", "/persona", "/system", "/participants", "/status"])
def test_without_arguments_they_ask_and_need_no_role(text: str) -> None:
    asking = step(text, PLAIN)
    assert asking.asks
    assert not asking.instruction.required_roles
    assert asking.instruction.type == InstructionType.INSTRUCTION_TYPE_QUERY


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("/persona none", "persona"),
        ("/system none", "system_instructions"),
        ("/model default", "model"),
    ],
)
def test_words_that_undo(text: str, field: str) -> None:
    change = step(text).change()
    assert change.WhichOneof("change") == field
    assert not getattr(change, field) or not change.persona.HasField("persona")


def test_a_text_argument_is_taken_as_typed() -> None:
    change = step("""/system Say "it's" twice; a=b""").change()
    assert change.system_instructions == """Say "it's" twice; a=b"""


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("/set", "arguments"),
        ("/set mode", "arguments"),
        ("/set mode dreaming", "mode"),
        ("/set tone formal", "arguments"),
        ("/clear", "arguments"),
        ("/clear everything", "arguments"),
        ("/title", "text"),
        ("/status now", "arguments"),
        ("/model a b", "model"),
        ("/persona expert formal", "trait"),
        ("/persona none tone=x", "trait"),
        ("/participants invite user_1", "arguments"),
        ('/pin "open', "arguments"),
        ("/remember", "text"),
        ("/remember " + 2001 * "x", "text"),
        ("/teach", "text"),
        ("/correct", "text"),
        ("/correct mem_1 better", "memory"),
        ("/correct mem_" + 32 * "0", "text"),
        ("/forget", "memories"),
        ("/forget all", "arguments"),
        ("/forget mem_1", "memory"),
        ("/forget " + " ".join(["mem_" + 32 * "0"] * 101), "memories"),
        ("/memories future", "which"),
        ("/search", "words"),
        ("/search " + 2001 * "x", "words"),
        ("/why a b", "turn"),
    ],
)
def test_wrong_arguments_are_named_with_the_usage(text: str, argument: str) -> None:
    error = refused(text)
    command = COMMANDS[text[1:].split()[0]]
    assert error.reason == Reason.REASON_FIELD_INVALID
    assert error.details["argument"] == argument
    assert error.details["usage"] == command.usage
    assert command.usage in error.message


@pytest.mark.parametrize(
    "text",
    [
        "/pin msg_1",
        "/participants add bob",
        "/persona Expert",
        "/persona expert Tone=x",
        "/title " + 201 * "x",
        "/system " + 8001 * "x",
        "/model " + 201 * "x",
    ],
)
def test_rules_of_the_contract_are_said_before_anything_is_done(text: str) -> None:
    error = refused(text)
    assert error.reason == Reason.REASON_FIELD_INVALID
    assert error.details["usage"]


def test_an_error_never_quotes_what_was_typed() -> None:
    """Errors are logged, and arguments may be private."""
    for text in ("/set mode secret", "/persona secret secret", "/title " + 300 * "secret"):
        assert "secret" not in refused(text).message


@pytest.mark.parametrize(
    ("typed", "near"), [("/mdoel x", "model"), ("/pins", "pin"), ("/hlep", "help")]
)
def test_an_unknown_command_is_answered_with_the_nearest(typed: str, near: str) -> None:
    with pytest.raises(NotFound) as unknown:
        step(typed)
    assert unknown.value.reason == Reason.REASON_COMMAND_UNKNOWN
    assert near in unknown.value.details["near"].split()
    assert "put a space before it" in unknown.value.message


@pytest.mark.parametrize("typed", ["/", "/usr/bin/python", "/12", "//help"])
def test_a_slash_and_anything_is_no_command(typed: str) -> None:
    (line,) = parts_of(typed).lines
    with pytest.raises(NotFound):
        command_of(line)


def test_a_missing_role_is_refused_before_anything_is_done() -> None:
    with pytest.raises(Forbidden) as refusal:
        steps_of(parts_of("/pin last\n/model x").lines, PLAIN)
    assert refusal.value.details["role"] == "chat.config.edit"
    assert refusal.value.details["command"] == "model"


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("/search here", {"words": "here"}),
        ("/search here  we go", {"where": "here", "words": "we go"}),
        ('/search "a phrase" -not', {"words": '"a phrase" -not'}),
        ("/forget ALL Yes", {"memories": "all"}),
        ("/forget mem_" + 32 * "0" + " mem_" + 32 * "0", {"memories": "mem_" + 32 * "0"}),
        (
            "/correct mem_" + 32 * "a" + "  I am tall",
            {"memory": "mem_" + 32 * "a", "text": "I am tall"},
        ),
        ("/memories Past", {"which": "past"}),
        ("/why", {}),
    ],
)
def test_arguments_of_memory_and_search(text: str, parameters: dict[str, str]) -> None:
    assert dict(step(text).instruction.parameters) == parameters


def test_to_forget_everything_is_not_offered_for_completion() -> None:
    """It has to be typed: nobody takes it by accident."""
    assert COMMANDS["forget"].choices == ()


def test_what_is_remembered_is_no_change_of_the_conversation() -> None:
    """It needs no role but to teach everybody."""
    remembering = step("/remember I like tea", PLAIN)
    assert (remembering.asks, remembering.remembers, remembering.model) == (False, True, "")
    with pytest.raises(Forbidden):
        step("/teach we like tea", PLAIN)
