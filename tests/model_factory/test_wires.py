"""What requests and events of both protocols mean. No event loop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.model_pb2 import FinishReason
from servers.model_factory import wire_anthropic, wire_openai
from servers.model_factory.answer import (
    ProviderEvent,
    Reasoning,
    Stopped,
    Text,
    Used,
    Working,
    joined,
)
from servers.model_factory.configuration import ModelEntry
from servers.model_factory.failure import Kind
from servers.model_factory.provider import Prompt
from servers.model_factory.wire import Decoder, code_in, retry_after
from servers.model_factory.wire_anthropic import AnthropicDialect
from servers.model_factory.wire_openai import OpenAiDialect
from tests.model_factory.conftest import says
from tests.upstream import anthropic_format, openai_format
from tests.upstream.script import Script

SCRIPT = Script(reasoning=("a", "b"), finish="length")
EXPECTED = [
    Reasoning("ab"),
    Text("Hello from upstream."),
    Stopped(FinishReason.FINISH_REASON_LENGTH),
]
WIRES = [(openai_format, OpenAiDialect), (anthropic_format, AnthropicDialect)]


def prompt(**model: object) -> Prompt:
    return Prompt(ModelEntry(id="m", **model), says("System.", "Hi", "Hello", "Bye"), 100, 1.5)  # type: ignore[arg-type]


def told(events: list[ProviderEvent]) -> list[ProviderEvent]:
    """Without the counts, joined."""
    return list(joined(e for e in events if not isinstance(e, Used | Working)))


@pytest.mark.parametrize(("form", "dialect"), WIRES)
@given(data=st.data())
def test_an_answer_does_not_depend_on_where_its_bytes_were_cut(
    form: object, dialect: type, data: st.DataObject
) -> None:
    raw = b"".join([*form.events("m", SCRIPT, usage=True)])  # type: ignore[attr-defined]
    raw += b"".join([*form.completion("m", SCRIPT, usage=True)])  # type: ignore[attr-defined]
    cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=5).map(sorted))
    decoder, found = Decoder(dialect()), []
    for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        found += decoder.feed(raw[start:stop])
    assert (told(found), decoder.stopped, decoder.over) == (EXPECTED, True, True)
    assert Used(7, 4) in found or {Used(7, 1), Used(None, 4)} <= set(found)


@pytest.mark.parametrize(("form", "dialect"), WIRES)
def test_text_before_an_unreadable_event_counts(form: object, dialect: type) -> None:
    raw = b"".join(form.events("m", Script(), usage=False)) + form.GARBAGE  # type: ignore[attr-defined]
    decoder = Decoder(dialect())
    assert told(decoder.feed(raw)) == [Text("Hello from upstream.")]
    assert decoder.failure is not None
    assert decoder.failure.kind is Kind.GARBAGE


def test_an_error_inside_a_stream_is_a_failure_with_its_code_and_not_its_sentence() -> None:
    decoder = Decoder(OpenAiDialect())
    decoder.feed(openai_format.failure())
    assert decoder.failure is not None
    assert (decoder.failure.kind, decoder.failure.code) == (Kind.SERVER, "scripted_500")
    assert "SECRET" not in repr(decoder.failure)


def test_anthropic_says_inside_a_stream_that_it_is_overloaded() -> None:
    decoder = Decoder(AnthropicDialect())
    decoder.feed(anthropic_format.failure())
    assert decoder.failure is not None
    assert (decoder.failure.kind, decoder.failure.code) == (Kind.OVERLOADED, "overloaded_error")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"choices":null,"usage":null}',
        b'{"choices":[]}',
        b'{"choices":[{"delta":null,"finish_reason":null}]}',
        b'{"choices":[{"delta":{"content":null,"tool_calls":[{}]}}],"service_tier":"x"}',
    ],
)
def test_what_compatible_servers_leave_out_or_add_is_read_over(raw: bytes) -> None:
    decoder = Decoder(OpenAiDialect())
    assert decoder.feed(b"data: " + raw + b"\n\n") == []
    assert decoder.failure is None


def test_done_without_a_reason_is_an_end() -> None:
    decoder = Decoder(OpenAiDialect())
    assert decoder.feed(b"data: [DONE]\n\n") == [Stopped(FinishReason.FINISH_REASON_STOP)]


def test_progress_of_the_prompt_is_a_sign_of_life() -> None:
    raw = b'data: {"choices":[{"delta":{"content":null}}],"prompt_progress":{"total":9}}\n\n'
    assert Decoder(OpenAiDialect()).feed(raw) == [Working()]


def test_tokens_from_anthropics_cache_are_part_of_the_prompt() -> None:
    usage = b'{"input_tokens":5,"cache_read_input_tokens":100,"cache_creation_input_tokens":20}'
    raw = b'data: {"type":"message_start","message":{"usage":' + usage + b"}}\n\n"
    assert Decoder(AnthropicDialect()).feed(raw) == [Used(125, None)]


def test_openai_is_asked_for_usage_and_given_the_models_own_fields() -> None:
    body = wire_openai.body(
        prompt(max_tokens_field="max_completion_tokens", takes_temperature=False, extra={"a": 1}),
        reports_usage=True,
    )
    assert [m["role"] for m in body["messages"]] == ["system", "user", "assistant", "user"]
    assert body["stream_options"] == {"include_usage": True}
    assert (body["max_completion_tokens"], body["a"]) == (100, 1)
    assert not {"temperature", "max_tokens"} & set(body)


def test_anthropic_gets_the_system_apart_and_no_temperature_over_one() -> None:
    body = wire_anthropic.body(prompt())
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
    assert (body["system"], body["temperature"], body["max_tokens"]) == ("System.", 1.0, 100)


def test_anthropic_gets_a_users_message_first_whatever_was_cut() -> None:
    messages = says("System.", "Hi", "Hello", "Bye")[2:]
    body = wire_anthropic.body(Prompt(ModelEntry(id="m"), messages, 100, 0.5))
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
    assert "system" not in body


def test_a_tools_result_is_quoted_as_the_users() -> None:
    messages = says("", "Hi")[1:]
    messages[0].role = MessageRole.MESSAGE_ROLE_TOOL
    body = wire_openai.body(Prompt(ModelEntry(id="m"), messages, 9, 0.5), reports_usage=False)
    assert body["messages"] == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error":{"code":"context_length_exceeded"}}', "context_length_exceeded"),
        (b'{"error":{"code":404,"type":"x"}}', "404"),
        (b'{"error":{"code":"a sentence with sk-key"}}', ""),
        (b'{"error":"just a string"}', ""),
        (b"<html>", ""),
        (b"\xff", ""),
    ],
)
def test_only_a_short_name_of_an_error_is_taken_over(body: bytes, code: str) -> None:
    assert code_in(body) == code


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3.0), ("0.5", 0.5), ("-1", None), ("nan", None), ("Mon", None)]
)
def test_a_time_to_wait_is_a_number_of_seconds(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}) == seconds
