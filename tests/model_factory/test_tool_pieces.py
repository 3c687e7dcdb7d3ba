"""Calls out of the pieces in which providers stream them. No event loop."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kari.conversation_models.v1.model_pb2 import FinishReason
from servers.model_factory.answer import Called, Calling, ProviderEvent, Stopped, Text, Working
from servers.model_factory.failure import Kind
from servers.model_factory.tool_names import ToolNames
from servers.model_factory.tool_pieces import MOST_CALLS, MOST_CHARACTERS
from servers.model_factory.wire import Decoder, Dialect
from servers.model_factory.wire_anthropic import AnthropicDialect
from servers.model_factory.wire_openai import OpenAiDialect
from tests.upstream import anthropic_format, openai_format
from tests.upstream.script import Call, Script, asks_for, call

WIRES = [(openai_format, OpenAiDialect), (anthropic_format, AnthropicDialect)]
STOPPED = Stopped(FinishReason.FINISH_REASON_STOP)
NAMES = ToolNames(["capsule.x", "calculator"])


def raw(form: Any, script: Script) -> bytes:
    """A whole answer."""
    events = [*form.events("m", script, usage=False)]
    return b"".join([*events, *form.completion("m", script, usage=False)])


def told(dialect: Dialect, *chunks: bytes) -> list[ProviderEvent]:
    """What an answer says, without signs of life; it has to be readable."""
    decoder = Decoder(dialect)
    found = [event for chunk in chunks for event in decoder.feed(chunk)]
    assert decoder.failure is None
    return [event for event in found if isinstance(event, Text | Called | Stopped)]


def failure_of(dialect: Dialect, *chunks: bytes) -> tuple[Kind, str]:
    """How an answer fails."""
    decoder = Decoder(dialect)
    for chunk in chunks:
        decoder.feed(chunk)
    assert decoder.failure is not None
    return decoder.failure.kind, decoder.failure.code


def chunk(*calls: dict[str, Any], finish: str | None = None) -> bytes:
    """A chunk of chat completions that adds to calls."""
    choice = {"index": 0, "delta": {"tool_calls": calls}, "finish_reason": finish}
    return b"data: " + msgspec.json.encode({"choices": [choice]}) + b"\n\n"


def event(kind: str, **fields: Any) -> bytes:
    """An event of Anthropic's."""
    return b"data: " + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"


def piece(index: int | None = None, id: str = "", name: str = "", text: str = "") -> dict[str, Any]:
    """A piece of a call as the wire has it, without what is not given."""
    fields = {"index": index, "id": id or None, "function": {"name": name, "arguments": text}}
    return {name: value for name, value in fields.items() if value is not None}


@pytest.mark.parametrize(("form", "dialect"), WIRES)
@given(data=st.data())
def test_calls_do_not_depend_on_how_they_were_cut(form: Any, dialect: type, data: Any) -> None:
    texts = data.draw(st.lists(st.text(max_size=30), min_size=1, max_size=4))
    pieces = data.draw(st.integers(1, 5))
    calls = [Call("capsule_x", text, pieces=pieces) for text in texts]
    whole = raw(form, asks_for(*calls, text="Hm."))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    parts = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    wanted = [Called("capsule.x", text if text.strip() else "{}") for text in texts]
    found = told(dialect(NAMES), *parts)
    assert [e for e in found if not isinstance(e, Text)] == [*wanted, STOPPED]


@pytest.mark.parametrize(("form", "dialect"), WIRES)
def test_pieces_are_signs_of_life_and_nothing_is_told_before_the_end(
    form: Any, dialect: type
) -> None:
    script = asks_for(call("calculator", expression="6*7"))
    found = Decoder(dialect()).feed(b"".join(form.events("m", script, usage=False)))
    assert Calling() in found
    assert not any(isinstance(e, Text | Called | Working | Stopped) for e in found)


@pytest.mark.parametrize(("form", "dialect"), WIRES)
def test_a_call_without_arguments_has_an_empty_object(form: Any, dialect: type) -> None:
    assert told(dialect(), raw(form, asks_for(Call("t", "")))) == [Called("t", "{}"), STOPPED]


@pytest.mark.parametrize(("form", "dialect"), WIRES)
@pytest.mark.parametrize("text", ["{not json", '"text"', "[1]", '{"a":1} and more', "\\", "{"])
def test_arguments_that_are_no_json_are_passed_on_as_written(
    form: Any, dialect: type, text: str
) -> None:
    assert told(dialect(), raw(form, asks_for(Call("t", text)))) == [Called("t", text), STOPPED]


@pytest.mark.parametrize(("form", "dialect"), WIRES)
def test_arguments_that_are_too_long_are_a_failure(form: Any, dialect: type) -> None:
    fits, not_any_more = "x" * MOST_CHARACTERS, "x" * (MOST_CHARACTERS + 1)
    assert Called("t", fits) in told(dialect(), raw(form, asks_for(Call("t", fits))))
    expected = (Kind.EXCESSIVE, "tool_arguments_too_long")
    assert failure_of(dialect(), raw(form, asks_for(Call("t", not_any_more)))) == expected
    assert failure_of(dialect(), raw(form, asks_for(*[Call("t", fits)] * 3))) == expected


@pytest.mark.parametrize(("form", "dialect"), WIRES)
def test_too_many_calls_are_a_failure(form: Any, dialect: type) -> None:
    many = asks_for(*[Call("t")] * (MOST_CALLS + 1))
    assert failure_of(dialect(), raw(form, many)) == (Kind.EXCESSIVE, "too_many_tool_calls")


@pytest.mark.parametrize(("form", "dialect"), WIRES)
def test_a_call_without_a_name_is_unreadable(form: Any, dialect: type) -> None:
    found = failure_of(dialect(), raw(form, asks_for(Call(""))))
    assert found == (Kind.GARBAGE, "tool_call_without_name")


def test_parallel_calls_may_come_in_turns() -> None:
    script = asks_for(
        *(Call("t", text, pieces=len(text)) for text in ('{"a":1}', "{}", '{"b":22}'))
    )
    found = told(OpenAiDialect(), raw(openai_format, script))
    assert found[:-1] == [Called("t", '{"a":1}'), Called("t", "{}"), Called("t", '{"b":22}')]


@pytest.mark.parametrize("index", [0, None])
def test_calls_with_the_same_index_or_none_are_told_apart_by_their_ids(index: int | None) -> None:
    """Ollama gives every call index 0, Gemini gives none."""
    found = told(
        OpenAiDialect(),
        chunk(piece(index, "a", "t", '{"n":'), piece(index, "b", "t", '{"n":')),
        chunk(piece(index, "b", text="2}")),
        chunk(piece(index, "c", "t", "{}"), finish="tool_calls"),
    )
    assert found == [Called("t", '{"n":'), Called("t", '{"n":2}'), Called("t", "{}"), STOPPED]


def test_calls_without_ids_are_told_apart_by_their_names() -> None:
    pieces = [piece(0, name="t", text="{"), piece(0, text="}"), piece(0, name="u", text="{}")]
    found = told(OpenAiDialect(), chunk(*pieces, finish="tool_calls"))
    assert found == [Called("t", "{}"), Called("u", "{}"), STOPPED]


def test_an_id_and_a_name_that_are_repeated_begin_no_other_call() -> None:
    pieces = [piece(0, "a", "t", "{"), piece(0, "a", "t", "}")]
    found = told(OpenAiDialect(), chunk(*pieces, finish="tool_calls"))
    assert found == [Called("t", "{}"), STOPPED]


def test_a_name_may_come_after_the_id_and_arguments_as_an_object() -> None:
    late = {"index": 0, "function": {"name": "t", "arguments": {"a": 1}}}
    found = told(OpenAiDialect(), chunk(piece(0, "a")), chunk(late, finish="stop"))
    assert found == [Called("t", '{"a":1}'), STOPPED]


def test_calls_are_told_once_however_often_the_end_is() -> None:
    stop = event("message_stop")
    begun = event("content_block_start", index=0, content_block={"type": "tool_use", "name": "t"})
    found = told(AnthropicDialect(), begun + stop + stop)
    assert found.count(Called("t", "{}")) == 1
    done = chunk(piece(0, "a", "t"), finish="tool_calls") + b"data: [DONE]\n\n"
    assert told(OpenAiDialect(), done) == [Called("t", "{}"), STOPPED]


def test_done_without_a_reason_ends_calls_too() -> None:
    done = chunk(piece(0, "a", "t")) + b"data: [DONE]\n\n"
    assert told(OpenAiDialect(), done) == [Called("t", "{}"), STOPPED]


def test_an_input_that_is_whole_at_the_start_of_its_block_counts() -> None:
    block = {"type": "tool_use", "id": "x", "name": "t", "input": {"a": 1}}
    whole = event("content_block_start", index=0, content_block=block) + event("message_stop")
    assert told(AnthropicDialect(), whole) == [Called("t", '{"a":1}'), STOPPED]


def test_tools_that_the_provider_runs_by_itself_are_no_calls() -> None:
    block = {"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}}
    delta = {"type": "input_json_delta", "partial_json": '{"query":"x"}'}
    found = told(
        AnthropicDialect(),
        event("content_block_start", index=0, content_block=block),
        event("content_block_delta", index=0, delta=delta),
        event("content_block_stop", index=0),
        event("message_stop"),
    )
    assert found == [STOPPED]


def test_a_block_with_an_index_that_was_there_is_another_call() -> None:
    found = told(AnthropicDialect(), raw(anthropic_format, asks_for(*[Call("t", index=0)] * 2)))
    assert found == [Called("t", "{}"), Called("t", "{}"), STOPPED]
