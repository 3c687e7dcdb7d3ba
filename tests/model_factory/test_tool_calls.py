"""Answers that ask for tools: real streams over loopback, of both kinds of providers."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.model_pb2 import FinishReason
from kari.conversation_models.v1.tool_pb2 import Tool
from servers.model_factory.answer import Degraded, Started, Step, Switched, ToolCalled
from servers.model_factory.configuration import LOCAL_ID, ModelEntry
from servers.model_factory.factory import ModelFactory
from servers.model_factory.prompting import Wanted
from servers.model_factory.tool_pieces import MOST_CHARACTERS
from servers.runtime.errors import InvalidRequest, KariError
from tests.model_factory.conftest import SHORT, end_of, says, steps_of, text_of
from tests.model_factory.tools import CALCULATOR, RESEARCHER, call_of, gave, wants
from tests.model_factory.vendors import approved
from tests.upstream.script import Call, Ending, Script, asks, asks_for, call
from tests.upstream.server import Upstream

FactoryOf = Callable[..., ModelFactory]
WANTED = Wanted(says("Be brief.", "What is 6*7?"), 0, 0.7, (CALCULATOR, RESEARCHER))

ASKS = asks("calculator", expression="6*7")
CALL = call_of(1, arguments='{"expression":"6*7"}')
ROUND = Wanted([*WANTED.messages, wants(CALL), gave(CALL, "42")], 0, 0.7, WANTED.tools)


def called(steps: list[Step]) -> list[tuple[str, str]]:
    """Tools and arguments that an answer asks for."""
    return [(step.tool_id, step.arguments) for step in steps if isinstance(step, ToolCalled)]


async def test_calls_come_whole_after_all_text_and_before_the_end(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    first = call("capsule.web_researcher", query="ships")
    upstream.scripts["m"] = [asks_for(first, call("calculator", expression="6*7"), text="Hm.")]
    steps = await steps_of(factory_of("m"), f"{provider}/m", wanted=WANTED)
    assert text_of(steps) == "Hm."
    assert called(steps[-3:]) == [
        ("capsule.web_researcher", '{"query":"ships"}'),
        ("calculator", '{"expression":"6*7"}'),
    ]
    assert end_of(steps).reason == FinishReason.FINISH_REASON_TOOL_CALLS
    ids = {step.call_id for step in steps if isinstance(step, ToolCalled)}
    assert len(ids) == 2
    assert all(re.fullmatch("call_[0-9a-f]{32}", call_id) for call_id in ids)


async def test_an_answer_of_calls_alone_is_a_good_one(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    upstream.scripts["m"] = [ASKS]
    steps = await steps_of(factory_of("m", "plain-3"), f"{provider}/m", f"{provider}/plain-3")
    assert [type(step) for step in steps[:2]] == [Started, ToolCalled]
    end = end_of(steps)
    assert (end.first_text_seconds, end.completion_tokens) == (None, 4)
    assert len(upstream.requests) == 1


async def test_results_go_back_and_the_model_answers(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    factory = factory_of("obedient")
    asked = says("Be brief.", '!capsule.web_researcher {"query": "ships"}\n!calculator')
    steps = await steps_of(
        factory, f"{provider}/obedient", wanted=Wanted(asked, 0, 0.7, WANTED.tools)
    )
    calls = [call_of(n, tool, text) for n, (tool, text) in enumerate(called(steps), start=1)]
    assert [c.tool_id for c in calls] == ["capsule.web_researcher", "calculator"]
    messages = [*asked, wants(*calls), gave(calls[0], "Ahoy."), gave(calls[1], "42")]
    wanted = Wanted(messages, 0, 0.7, WANTED.tools)
    steps = await steps_of(factory, f"{provider}/obedient", wanted=wanted)
    assert text_of(steps) == "Results: Ahoy.\n42"
    for request in upstream.requests:
        approved(provider, request.body)
        assert len(request.body["tools"]) == 2


async def test_results_of_tools_that_the_runtime_called_are_read_by_every_model(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    messages = [*WANTED.messages, gave(None, "It is noon."), gave(None, "It rains.")]
    for entry in (ModelEntry(id="obedient"), ModelEntry(id="obedient", calls_tools=False)):
        wanted = Wanted(messages, 0, 0.7, WANTED.tools)
        steps = await steps_of(factory_of(entry), f"{provider}/obedient", wanted=wanted)
        assert text_of(steps) == "Results: It is noon.\nIt rains."


async def test_servers_that_say_stop_where_they_mean_calls_are_understood(
    factory_of: FactoryOf, upstream: Upstream
) -> None:
    upstream.scripts["m"] = [Script(chunks=(), calls=ASKS.calls, finish="function_call")]
    steps = await steps_of(factory_of("m"), "openai/m", wanted=WANTED)
    assert end_of(steps).reason == FinishReason.FINISH_REASON_TOOL_CALLS


async def test_a_tool_that_the_model_made_up_is_passed_on(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    upstream.scripts["made-up"] = [asks_for(Call("launch_missiles", "now!"), call("calculator"))]
    model = f"{provider}/made-up"
    steps = await steps_of(factory_of("made-up"), model, wanted=WANTED)
    assert called(steps) == [("launch_missiles", "now!"), ("calculator", "{}")]
    assert counted(model, "unknown") == counted(model, "offered") == 1


async def test_calls_are_passed_on_even_if_no_tools_were_offered(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    upstream.scripts["m"] = [ASKS]
    steps = await steps_of(factory_of("m"), f"{provider}/m")
    assert "tools" not in upstream.requests[0].body
    assert called(steps) == [("calculator", '{"expression":"6*7"}')]


@pytest.mark.parametrize("ending", [e for e in Ending if e is not Ending.COMPLETE])
async def test_calls_that_broke_off_are_asked_for_anew(
    factory_of: FactoryOf, upstream: Upstream, provider: str, ending: Ending
) -> None:
    half = Script(chunks=(), calls=(Call("calculator", '{"expr'),), ending=ending)
    upstream.scripts["m"], upstream.scripts["n"] = [half], [ASKS]
    steps = await steps_of(factory_of("m", "n"), f"{provider}/m", f"{provider}/n", wanted=WANTED)
    assert called(steps) == [("calculator", '{"expression":"6*7"}')]
    assert sum(isinstance(step, Switched) for step in steps) == 1


async def test_calls_that_broke_off_after_text_end_the_answer_and_are_not_told(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    upstream.scripts["m"] = [Script(calls=ASKS.calls, ending=Ending.CUT)]
    seen: list[Step] = []
    factory = factory_of("m", "plain-3")
    with pytest.raises(KariError):
        await steps_of(factory, f"{provider}/m", f"{provider}/plain-3", wanted=WANTED, seen=seen)
    assert text_of(seen) == "Hello from upstream."
    assert called(seen) == []


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_a_call_that_was_cut_off_is_never_made(
    factory_of: FactoryOf, upstream: Upstream, provider: str, finish: str
) -> None:
    """The text before it counts; where there is none, the next model is asked."""
    half = (*ASKS.calls, Call("calculator", '{"expr'))
    upstream.scripts["m"] = [
        Script(calls=half, finish=finish),
        Script(chunks=(), calls=half, finish=finish),
    ]
    factory = factory_of("m", "plain-3")
    steps = await steps_of(factory, f"{provider}/m", f"{provider}/plain-3", wanted=WANTED)
    assert (text_of(steps), called(steps)) == ("Hello from upstream.", [])
    assert end_of(steps).reason != FinishReason.FINISH_REASON_TOOL_CALLS
    steps = await steps_of(factory, f"{provider}/m", f"{provider}/plain-3", wanted=WANTED)
    assert (text_of(steps), called(steps)) == ("word0 word1 word2 ", [])


async def test_huge_arguments_go_to_the_next_model(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    huge = Call("calculator", "x" * (MOST_CHARACTERS + 1), pieces=50)
    upstream.scripts["m"] = [asks_for(huge)]
    factory = factory_of("m", "plain-3", failures=1)
    steps = await steps_of(factory, f"{provider}/m", f"{provider}/plain-3", wanted=WANTED)
    (switched,) = [step for step in steps if isinstance(step, Switched)]
    assert switched.error.details["code"] == "tool_arguments_too_long"
    assert len(upstream.asked("m")) == 1
    assert text_of(steps) == "word0 word1 word2 "


async def test_a_model_that_calls_no_tools_is_told_of_none_and_reads_results_as_text(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    """In the middle of a turn too, when it takes over from one that called them."""
    upstream.scripts["m"] = [Script(silent=True)]
    quiet = ModelEntry(id="quiet", calls_tools=False)
    factory = factory_of("m", quiet, timeouts=SHORT)
    steps = await steps_of(factory, f"{provider}/m", f"{provider}/quiet", wanted=ROUND)
    assert text_of(steps) == "Hello from upstream."
    native, plain = (approved(provider, request.body) for request in upstream.requests)
    assert "tools" in native
    assert "tools" not in plain
    assert all(isinstance(message["content"], str) for message in plain["messages"])
    assert "<tool_result>\n42\n</tool_result>" in plain["messages"][-1]["content"]


async def test_a_model_that_refuses_tools_is_asked_without_them_which_is_told(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    upstream.scripts["m"] = [Script(status=400), Script()]
    steps = await steps_of(factory_of("m", "n"), f"{provider}/m", f"{provider}/n", wanted=ROUND)
    assert text_of(steps) == "Hello from upstream."
    assert Degraded(Feature.FEATURE_TOOLS, f"{provider}/m") in steps
    assert [step.attempt for step in steps if isinstance(step, Started)] == [1, 2]
    plain = approved(provider, upstream.requests[1].body)
    assert "tools" not in plain
    assert "<tool_result>" in plain["messages"][-1]["content"]


async def test_a_model_that_refuses_without_tools_too_is_left_for_the_next_one(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    upstream.scripts["m"] = [Script(status=400)]
    steps = await steps_of(factory_of("m", "n"), f"{provider}/m", f"{provider}/n", wanted=ROUND)
    assert len(upstream.asked("m")) == 2
    assert Started(f"{provider}/n", 1) in steps
    assert "tools" in upstream.asked("n")[0].body


@pytest.mark.parametrize(
    "entry",
    [
        ModelEntry(id="m", tool_history="text"),
        ModelEntry(id="m", extra={"thinking": {"type": "enabled", "budget_tokens": 1024}}),
    ],
)
async def test_models_that_want_back_more_than_calls_read_them_as_text(
    factory_of: FactoryOf, upstream: Upstream, provider: str, entry: ModelEntry
) -> None:
    """And are told of tools all the same."""
    await steps_of(factory_of(entry), f"{provider}/m", wanted=ROUND)
    body = upstream.requests[0].body
    assert len(body["tools"]) == 2
    assert all(isinstance(message["content"], str) for message in body["messages"])


async def test_the_local_model_takes_over_in_the_middle_of_a_turn(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    upstream.scripts["m"] = [Script(silent=True)]
    wanted = Wanted(ROUND.messages, 4, 0.7, ROUND.tools)
    factory = factory_of("m", timeouts=SHORT)
    steps = await steps_of(factory, f"{provider}/m", LOCAL_ID, wanted=wanted)
    assert Started(LOCAL_ID, 1) in steps
    assert 0 < end_of(steps).completion_tokens <= 4


async def test_tools_that_do_not_fit_a_small_model_are_left_out_which_is_told(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    small = ModelEntry(id="m", context_window=2000, max_output_tokens=50)
    large = [Tool(id=f"t{n}", description="word " * 200) for n in range(9)]
    steps = await steps_of(
        factory_of(small), f"{provider}/m", wanted=Wanted(WANTED.messages, 0, 0.7, large)
    )
    assert Degraded(Feature.FEATURE_TOOLS, f"{provider}/m") in steps
    assert Degraded(Feature.FEATURE_FULL_CONTEXT, f"{provider}/m") not in steps
    assert len(upstream.requests[0].body["tools"]) == 2


async def test_calls_are_counted_as_tokens_where_the_provider_does_not_count(
    factory_of: FactoryOf, upstream: Upstream
) -> None:
    silent = Script(chunks=(), calls=(Call("calculator", "one two three"),), reports_usage=False)
    upstream.scripts["m"] = [silent]
    model = ModelEntry(id="m", tokenizer="smollm2")
    end = end_of(await steps_of(factory_of(model), "openai/m", wanted=ROUND))
    assert end.completion_tokens > 3
    assert end.prompt_tokens > 400


async def test_a_tool_whose_schema_cannot_be_read_is_refused_before_anybody_is_asked(
    factory_of: FactoryOf, upstream: Upstream
) -> None:
    wanted = Wanted(WANTED.messages, 0, 0.7, [Tool(id="t", parameters_schema="{")])
    with pytest.raises(InvalidRequest):
        await steps_of(factory_of("m"), "openai/m", wanted=wanted)
    assert not upstream.requests


async def test_arguments_are_in_no_log(
    factory_of: FactoryOf, upstream: Upstream, provider: str, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = call("calculator", expression="SECRET")
    upstream.scripts["m"] = [
        Script(chunks=(), calls=(secret,), finish="length"),
        asks_for(secret),
        Script(chunks=(), calls=(secret,), ending=Ending.GARBAGE),
    ]
    factory = factory_of("m", "plain-3")
    for _ in range(3):
        await steps_of(factory, f"{provider}/m", f"{provider}/plain-3", wanted=WANTED)
    said: Any = capsys.readouterr()
    assert "tool_call_cut_off" in said.out + said.err
    assert "SECRET" not in said.out + said.err


def counted(model: str, kind: str) -> float:
    """Calls of a kind so far."""
    labels = {"model": model, "kind": kind}
    return REGISTRY.get_sample_value("kari_chat_model_tool_calls_total", labels) or 0.0
