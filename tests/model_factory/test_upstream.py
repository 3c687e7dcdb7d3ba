"""The scripted provider speaks the real wire formats: the vendors' own clients understand it. Their
packages are imported by the tests themselves: they cost every worker seconds while it collects."""

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.upstream.script import Script, asks, asks_for, call
from tests.upstream.server import Upstream

if TYPE_CHECKING:
    import anthropic
    import openai

ASK = [{"role": "user", "content": "Hi"}]


def openai_client(upstream: Upstream) -> "openai.AsyncOpenAI":
    import openai

    return openai.AsyncOpenAI(api_key="k", base_url=upstream.base_url, max_retries=0)


def anthropic_client(upstream: Upstream) -> "anthropic.AsyncAnthropic":
    import anthropic

    return anthropic.AsyncAnthropic(api_key="k", base_url=upstream.root, max_retries=0)


async def test_openais_client_reads_its_stream(upstream: Upstream) -> None:
    async with openai_client(upstream) as client:
        stream = await client.chat.completions.create(
            model="plain-3", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "word0 word1 word2 "
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 3


async def test_openais_client_reads_its_errors(upstream: Upstream) -> None:
    import openai

    async with openai_client(upstream) as client:
        with pytest.raises(openai.RateLimitError) as limited:
            await client.chat.completions.create(model="limited", messages=ASK)
        with pytest.raises(openai.InternalServerError) as failed:
            await client.chat.completions.create(model="status-500", messages=ASK)
    assert limited.value.response.headers["retry-after"] == "1"
    assert failed.value.code == "scripted_500"


async def test_anthropics_client_reads_its_stream(upstream: Upstream) -> None:
    upstream.scripts["m"] = [Script(reasoning=("Hm", "m."), finish="length")]
    async with (
        anthropic_client(upstream) as client,
        client.messages.stream(model="m", max_tokens=9, messages=ASK) as stream,
    ):
        text = "".join([part async for part in stream.text_stream])
        message = await stream.get_final_message()
    assert text == "Hello from upstream."
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].thinking == "Hmm."
    assert message.stop_reason == "max_tokens"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 4)


async def test_anthropics_client_reads_its_errors(upstream: Upstream) -> None:
    import anthropic

    async with anthropic_client(upstream) as client:
        with pytest.raises(anthropic.RateLimitError):
            await client.messages.create(model="limited", max_tokens=9, messages=ASK)
        with pytest.raises(anthropic.APIStatusError) as overloaded:
            await client.messages.create(model="status-529", max_tokens=9, messages=ASK)
    assert overloaded.value.status_code == 529


async def test_both_clients_read_answers_that_do_not_stream(upstream: Upstream) -> None:
    async with openai_client(upstream) as one, anthropic_client(upstream) as other:
        first = await one.chat.completions.create(model="plain-2", messages=ASK)
        second = await other.messages.create(model="plain-2", max_tokens=9, messages=ASK)
    assert first.choices[0].message.content == second.content[0].text == "word0 word1 "


CALLS = (call("capsule.web_researcher", query="ships"), call("calculator", expression="6*7"))
READ = [("capsule_web_researcher", {"query": "ships"}), ("calculator", {"expression": "6*7"})]


@pytest.mark.parametrize("text", ["", "Let me see."])
async def test_openais_client_reads_its_calls_of_tools(upstream: Upstream, text: str) -> None:
    upstream.scripts["m"] = [asks_for(*CALLS, text=text)]
    async with (
        openai_client(upstream) as client,
        client.chat.completions.stream(model="m", messages=ASK) as stream,
    ):
        choice = (await stream.get_final_completion()).choices[0]
    assert (choice.finish_reason, choice.message.content or "") == ("tool_calls", text)
    called = [call.function for call in choice.message.tool_calls]
    assert [(c.name, msgspec.json.decode(c.arguments)) for c in called] == READ


@pytest.mark.parametrize("text", ["", "Let me see."])
async def test_anthropics_client_reads_its_calls_of_tools(upstream: Upstream, text: str) -> None:
    upstream.scripts["m"] = [asks_for(*CALLS, text=text)]
    async with (
        anthropic_client(upstream) as client,
        client.messages.stream(model="m", max_tokens=9, messages=ASK) as stream,
    ):
        message = await stream.get_final_message()
    assert message.stop_reason == "tool_use"
    assert "".join(b.text for b in message.content if b.type == "text") == text
    assert [(b.name, b.input) for b in message.content if b.type == "tool_use"] == READ


async def test_both_clients_read_calls_that_do_not_stream(upstream: Upstream) -> None:
    upstream.scripts["m"] = [asks("calculator", expression="6*7")]
    async with openai_client(upstream) as one, anthropic_client(upstream) as other:
        first = await one.chat.completions.create(model="m", messages=ASK)
        second = await other.messages.create(model="m", max_tokens=9, messages=ASK)
    (function,) = [call.function for call in first.choices[0].message.tool_calls]
    (block,) = second.content
    assert (function.name, msgspec.json.decode(function.arguments)) == (block.name, block.input)


async def test_an_obedient_model_calls_what_it_is_told_and_then_tells_the_results(
    upstream: Upstream,
) -> None:
    ask = [{"role": "user", "content": 'Do this:\n!capsule.x {"a": 1}\n!time.now'}]
    async with openai_client(upstream) as client:
        create = client.chat.completions.create
        asked = (await create(model="obedient", messages=ask)).choices[0].message
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name} ran"}
            for call in asked.tool_calls
        ]
        told = await create(model="obedient", messages=[*ask, asked.to_dict(), *results])
    assert told.choices[0].message.content == "Results: capsule_x ran\ntime_now ran"
