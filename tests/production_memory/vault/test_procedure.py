"""The wording of procedures is a function of the question and the calls."""

import json
from typing import Any

import pytest

from kari.conversation_models.v1.tool_pb2 import ToolCall, ToolUse
from servers.production_memory.vault.memory_jobs import ProcedureJob
from servers.production_memory.vault.procedure import (
    MOST_STEPS,
    QUESTION_CHARACTERS,
    case_of,
    is_procedure,
    sequence_of,
    slot_of,
)


def call(tool_id: str, arguments: Any = None) -> tuple[str, ToolCall]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return tool_id, ToolCall(tool_id=tool_id, arguments_json=text)


def use(tool_id: str, success: bool = True) -> ToolUse:
    return ToolUse(tool_id=tool_id, success=success)


def test_arguments_are_named_in_one_order_and_never_told() -> None:
    one = sequence_of([call("convert_units", {"value": 12, "from": "mi", "to": "km"})])
    assert one == "convert_units(from, to, value)"


@pytest.mark.parametrize("text", ["no json", "[1]", '"text"', "1", "{", "[" * 100_000, "\0"])
def test_arguments_that_are_no_object_have_no_names(text: str) -> None:
    assert sequence_of([call("odd", text)]) == "odd()"


def test_names_that_are_no_names_are_left_out() -> None:
    arguments = {"fine": 1, "my mail is bo@example.org": 2, "x" * 41: 3, "": 4}
    assert sequence_of([call("odd", arguments)]) == "odd(fine)"


def test_a_call_that_is_repeated_is_named_once() -> None:
    calls = [call("a", {"x": 1}), call("a", {"x": 2}), call("b"), call("a", {"x": 3})]
    assert sequence_of(calls) == "a(x), then b(), then a(x)"


def test_a_long_sequence_is_cut_off() -> None:
    sequence = sequence_of([call(f"tool_{n}") for n in range(MOST_STEPS + 3)])
    assert sequence.endswith(f"tool_{MOST_STEPS - 1}(), then 3 more")


def test_a_long_question_is_cut_between_words() -> None:
    case = case_of("word " * 1000)
    assert case.endswith("word ...")
    assert len(case) <= QUESTION_CHARACTERS + 4


def test_personal_data_is_gone_before_a_question_is_cut() -> None:
    content = "x" * (QUESTION_CHARACTERS - 10) + " bo.somebody@example.org"
    assert "bo." not in case_of(content)


def test_questions_that_differ_in_numbers_are_one_case() -> None:
    assert slot_of("How far are 12 miles?") == slot_of("how far are 7 MILES")
    assert slot_of("How far are 12 miles?") != slot_of("How far are 12 feet?")
    assert slot_of("?!") == ""


def test_two_calls_that_worked_or_a_capsule_are_a_procedure() -> None:
    assert is_procedure([use("a"), use("b")])
    assert is_procedure([use("capsule.web_researcher")])
    assert not is_procedure([use("a"), use("b", success=False)])
    assert not is_procedure([use("capsule.web_researcher", success=False)])
    assert not is_procedure([])


@pytest.mark.parametrize("payload", [None, b"", b"{}", b'{"tenant": 1, "turn": "t"}'])
def test_what_is_no_job_is_refused(payload: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"job|Expecting"):
        ProcedureJob.parse(payload)
