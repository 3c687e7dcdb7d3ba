"""How the terminal lists tools."""

import pytest

from cli.tool_listing import first_sentence, in_full
from kari.conversation_models.v1.tool_pb2 import ApprovalPolicy, SideEffects, Tool


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Adds. Use it for sums.", "Adds."),
        ("Adds 1.5 and 2;\nno more. Or so.", "Adds 1.5 and 2; no more."),
        ("Adds what is given", "Adds what is given"),
        ("", ""),
    ],
)
def test_a_list_has_the_first_sentence(text: str, sentence: str) -> None:
    """A point within a number ends none."""
    assert first_sentence(text) == sentence


def test_one_tool_is_told_in_full() -> None:
    """With its limits and arguments, and without what moves the cursor."""
    tool = Tool(
        id="x.add",
        name="Add",
        description="Adds.\x1b[2J Twice.",
        roles=["chat.user"],
        calls_per_minute=5,
        parameters_schema='{"type":"object"}',
        side_effects=SideEffects.SIDE_EFFECTS_NONE,
        approval=ApprovalPolicy.APPROVAL_POLICY_ALWAYS,
        available=True,
    )
    tool.timeout.FromMilliseconds(1500)
    told = in_full(tool).splitlines()
    assert told[:3] == ["x.add  Add", "Adds.\ufffd[2J Twice.", "asks first"]
    assert [line.split(maxsplit=1)[1] for line in told[4:8]] == [
        "chat.user",
        "5 a minute",
        "1.5 s",
        "none",
    ]
    assert told[8:] == ["arguments     {", '  "type": "object"', "}"]
