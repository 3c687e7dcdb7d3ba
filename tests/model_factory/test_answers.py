"""Answers of real streams over loopback: what comes, and what happens when providers fail."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest
from prometheus_client import REGISTRY

from kari.conversation_models.v1.conversation_pb2 import ConversationMode as Mode
from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.model_pb2 import FinishReason
from kari.errors.v1.errors_pb2 import Reason
from servers.model_factory.answer import Degraded, Reasoning, Started, Step, Switched, Text
from servers.model_factory.attempt import MOST_CHARACTERS
from servers.model_factory.configuration import ModelEntry
from servers.model_factory.factory import ModelFactory
from servers.model_factory.prompting import Wanted
from servers.model_factory.routing import Wish
from servers.runtime.call import Principal
from servers.runtime.errors import KariError, NotFound, TimedOut, Unavailable
from servers.runtime.steps import Steps
from tests.model_factory.conftest import SHORT, end_of, says, steps_of, text_of
from tests.upstream.script import Ending, Script
from tests.upstream.server import Upstream

FactoryOf = Callable[..., ModelFactory]
GOOD = Script()


async def test_an_answer_streams_from_its_start_to_its_end(
    factory_of: FactoryOf, provider: str
) -> None:
    steps = await steps_of(factory_of("plain-64"), f"{provider}/plain-64")
    assert steps[0] == Started(f"{provider}/plain-64", 1)
    assert text_of(steps) == "".join(f"word{n} " for n in range(64))
    end = end_of(steps)
    assert (end.prompt_tokens, end.completion_tokens) == (7, 64)
    assert end.reason == FinishReason.FINISH_REASON_STOP
    assert end.first_text_seconds is not None
    assert 0 < end.first_text_seconds <= end.seconds


async def test_what_arrives_together_goes_on_together(
    factory_of: FactoryOf, upstream: Upstream
) -> None:
    steps = await steps_of(factory_of("plain-2000"), "openai/plain-2000")
    assert upstream.asked("plain-2000")[0].sent > 2000
    assert len(steps) < 1500
    assert text_of(steps).split()[-1] == "word1999"


async def test_a_busy_process_reads_what_arrived_meanwhile_as_one(
    factory_of: FactoryOf, provider: str
) -> None:
    """And loses nothing of it, nor the end."""
    staying_busy = asyncio.create_task(stay_busy())
    steps = await steps_of(factory_of("slow-64"), f"{provider}/slow-64")
    staying_busy.cancel()
    assert text_of(steps) == "".join(f"word{n} " for n in range(64))
    assert sum(isinstance(step, Text) for step in steps) < 40
    assert end_of(steps).completion_tokens == 64


async def stay_busy() -> None:
    """As if the event loop were full, for ever."""
    lateness = Steps()._lateness
    while True:
        lateness.pace().note(1.0, 1.0)
        await asyncio.sleep(0.005)


async def test_reasoning_is_apart_from_text(factory_of: FactoryOf, provider: str) -> None:
    steps = await steps_of(factory_of("reasoning"), f"{provider}/reasoning")
    assert "".join(s.text for s in steps if isinstance(s, Reasoning)) == "Let me think."
    assert text_of(steps) == "Hello from upstream."


async def test_an_answer_that_was_too_long_says_so(factory_of: FactoryOf, provider: str) -> None:
    steps = await steps_of(factory_of("limit-length"), f"{provider}/limit-length")
    assert end_of(steps).reason == FinishReason.FINISH_REASON_LENGTH


@pytest.mark.parametrize("part", ["chunks", "reasoning"])
async def test_an_answer_without_end_is_cut_off(
    factory_of: FactoryOf, upstream: Upstream, provider: str, part: str
) -> None:
    """With its length as the reason, and the provider is told to stop."""
    endless = Script(**{part: ("0123456789" * 1000,) * 60}, ending=Ending.HANG)
    upstream.scripts["endless"] = [endless]
    steps = await steps_of(factory_of("endless"), f"{provider}/endless")
    told = "".join(step.text for step in steps if isinstance(step, Text | Reasoning))
    assert told == "0123456789" * (MOST_CHARACTERS // 10)
    assert end_of(steps).reason == FinishReason.FINISH_REASON_LENGTH
    await upstream.requests[0].ended.wait()
    assert upstream.requests[0].gone


async def test_tokens_are_counted_here_where_the_provider_does_not(
    factory_of: FactoryOf, upstream: Upstream
) -> None:
    upstream.scripts["m"] = [Script(reports_usage=False)]
    model = ModelEntry(id="m", tokenizer="smollm2")
    end = end_of(await steps_of(factory_of(model), "openai/m"))
    # 3 words and a full stop; 3 words and 2 marks, and the template around both messages.
    assert (end.completion_tokens, end.prompt_tokens) == (4, 5 + 2 * 6 + 4)


@pytest.mark.parametrize("status", [500, 502, 429, 529])
async def test_the_same_model_is_tried_again_after_a_passing_error(
    factory_of: FactoryOf, upstream: Upstream, provider: str, status: int
) -> None:
    bad = Script(status=status, retry_after="0.01")
    upstream.scripts["m"] = [bad, bad, GOOD]
    steps = await steps_of(factory_of("m"), f"{provider}/m")
    assert [s.attempt for s in steps if isinstance(s, Started)] == [1, 2, 3]
    assert text_of(steps) == "Hello from upstream."


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refused_request_goes_to_the_next_model_at_once(
    factory_of: FactoryOf, upstream: Upstream, provider: str, status: int
) -> None:
    upstream.scripts["m"] = [Script(status=status)]
    steps = await steps_of(factory_of("m", "plain-3"), f"{provider}/m", f"{provider}/plain-3")
    assert [s for s in steps if isinstance(s, Started)] == [
        Started(f"{provider}/m", 1),
        Started(f"{provider}/plain-3", 1),
    ]
    assert len(upstream.asked("m")) == 1


async def test_a_switch_is_told_with_its_reason_and_what_is_missing(
    factory_of: FactoryOf,
) -> None:
    factory = factory_of("status-500", "plain-3")
    steps = await steps_of(factory, "openai/status-500", "openai/plain-3")
    (switched,) = [s for s in steps if isinstance(s, Switched)]
    assert (switched.from_model, switched.to_model) == ("openai/status-500", "openai/plain-3")
    assert switched.error.reason == Reason.REASON_PROVIDER_ERROR
    assert switched.error.details["status"] == "500"
    assert Degraded(Feature.FEATURE_CHOSEN_MODEL, "openai/status-500") in steps


async def test_a_silent_provider_is_left_for_the_next_model(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    steps = await steps_of(
        factory_of("silent", "plain-3", timeouts=SHORT), f"{provider}/silent", f"{provider}/plain-3"
    )
    (switched,) = [s for s in steps if isinstance(s, Switched)]
    assert isinstance(switched.error, TimedOut)
    assert switched.error.details == {"provider": provider, "timeout": "0.3"}
    await upstream.asked("silent")[0].ended.wait()
    assert upstream.asked("silent")[0].gone


async def test_comments_that_keep_a_connection_alive_are_no_answer(
    factory_of: FactoryOf, upstream: Upstream
) -> None:
    upstream.scripts["m"] = [Script(keepalives=1000, delay=0.05)]
    steps = await steps_of(factory_of("m", "plain-3"), "openai/m", "openai/plain-3")
    assert Started("openai/plain-3", 1) in steps


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.GARBAGE, Ending.ERROR, Ending.UNFINISHED])
async def test_a_stream_that_fails_before_any_text_goes_to_the_next_model(
    factory_of: FactoryOf, upstream: Upstream, provider: str, ending: Ending
) -> None:
    upstream.scripts["m"] = [Script(chunks=(), reasoning=("Hm.",), ending=ending)]
    steps = await steps_of(factory_of("m", "plain-3"), f"{provider}/m", f"{provider}/plain-3")
    assert text_of(steps) == "word0 word1 word2 "


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (Ending.CUT, Reason.REASON_PROVIDER_ERROR),
        (Ending.UNFINISHED, Reason.REASON_PROVIDER_ERROR),
        (Ending.GARBAGE, Reason.REASON_PROVIDER_ERROR),
        (Ending.ERROR, Reason.REASON_PROVIDER_ERROR),
        (Ending.HANG, Reason.REASON_PROVIDER_TIMEOUT),
    ],
)
async def test_after_text_was_sent_a_failure_ends_the_answer(
    factory_of: FactoryOf,
    upstream: Upstream,
    provider: str,
    ending: Ending,
    reason: Reason.ValueType,
) -> None:
    upstream.scripts["m"] = [Script(ending=ending)]
    sent: list[Step] = []
    factory = factory_of("m", "plain-3")
    with pytest.raises(KariError) as caught:
        await steps_of(factory, f"{provider}/m", f"{provider}/plain-3", seen=sent)
    assert text_of(sent) == "Hello from upstream."
    assert (caught.value.reason, caught.value.may_retry) == (reason, True)
    assert len(upstream.requests) == 1


async def test_when_all_fail_the_last_provider_is_named(factory_of: FactoryOf) -> None:
    factory = factory_of("status-500", "status-503")
    with pytest.raises(Unavailable) as caught:
        await steps_of(factory, "openai/status-500", "anthropic/status-503")
    assert caught.value.reason == Reason.REASON_PROVIDERS_FAILED
    assert caught.value.details["provider"] == "anthropic"
    assert caught.value.details["status"] == "503"


async def test_a_provider_that_is_not_there_goes_to_the_next_model(
    factory_of: FactoryOf, upstream: Upstream
) -> None:
    factory = factory_of("m")
    await upstream.__aexit__()
    with pytest.raises(Unavailable) as caught:
        await steps_of(factory, "openai/m", "anthropic/m")
    assert caught.value.details["kind"] == "connect"


async def test_a_breaker_spares_a_provider_that_keeps_failing(
    factory_of: FactoryOf, upstream: Upstream
) -> None:
    factory = factory_of("status-500", "plain-3", failures=3)
    for _ in range(4):
        steps = await steps_of(factory, "openai/status-500", "anthropic/plain-3")
        assert text_of(steps) == "word0 word1 word2 "
    assert len(upstream.asked("status-500")) == 3
    shown = {model.id: model.available for model in factory.page(0, "")[0]}
    assert shown["openai/status-500"] is False
    assert shown["anthropic/plain-3"] is True


async def test_the_last_model_is_tried_even_if_its_breaker_is_open(
    factory_of: FactoryOf, upstream: Upstream
) -> None:
    upstream.scripts["m"] = [Script(status=500)] * 3 + [GOOD]
    factory = factory_of("m", failures=3)
    with pytest.raises(Unavailable):
        await steps_of(factory, "openai/m")
    assert text_of(await steps_of(factory, "openai/m")) == "Hello from upstream."


async def test_closing_an_answer_ends_the_providers_work(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    factory = factory_of("slow-10000")
    async with aclosing(
        factory.generate(f"{provider}/slow-10000", [], Wanted(says("S", "Hi"), 0, 0.7))
    ) as steps:
        async for step in steps:
            if isinstance(step, Text):
                break
    (request,) = upstream.requests
    await request.ended.wait()
    assert request.gone
    assert request.sent < 10000


@pytest.mark.parametrize("model", ["silent", "stuck", "slow-10000"])
async def test_cancelling_a_caller_ends_the_providers_work(
    factory_of: FactoryOf, upstream: Upstream, model: str
) -> None:
    task = asyncio.create_task(steps_of(factory_of(model), f"openai/{model}"))
    await upstream.asked_for(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.requests[0].ended.wait()
    assert upstream.requests[0].gone


async def test_a_caller_who_leaves_does_not_speak_against_the_provider(
    factory_of: FactoryOf,
) -> None:
    factory = factory_of("slow-10000", failures=1)
    for _ in range(3):
        async with aclosing(
            factory.generate("openai/slow-10000", [], Wanted(says("S", "Hi"), 0, 0.7))
        ) as steps:
            await anext(steps)
    assert factory.page(0, "")[0][1].available


async def test_a_prompt_too_long_for_a_model_loses_its_oldest_messages(
    factory_of: FactoryOf, upstream: Upstream
) -> None:
    small = ModelEntry(id="m", context_window=200, max_output_tokens=50, tokenizer="smollm2")
    wanted = Wanted(says("System.", *(f"Message {n}. " + "word " * 30 for n in range(9))), 0, 0.7)
    steps = await steps_of(factory_of(small), "openai/m", wanted=wanted)
    assert Degraded(Feature.FEATURE_FULL_CONTEXT, "openai/m") in steps
    contents = [m["content"] for m in upstream.requests[0].body["messages"]]
    assert contents[0] == "System."
    assert [c.split(".")[0] for c in contents[1:]] == ["Message 6", "Message 7", "Message 8"]


async def test_no_more_tokens_are_asked_for_than_the_model_gives(
    factory_of: FactoryOf, upstream: Upstream
) -> None:
    factory = factory_of(ModelEntry(id="m", max_output_tokens=50))
    for wanted in (0, 20, 500):
        await steps_of(factory, "openai/m", wanted=Wanted(says("S", "Hi"), wanted, 0.7))
    assert [request.body["max_tokens"] for request in upstream.requests] == [50, 20, 50]


async def test_an_unknown_model_is_not_found(factory_of: FactoryOf) -> None:
    with pytest.raises(NotFound):
        await steps_of(factory_of("plain-3"), "openai/plain-4")


async def test_an_unknown_fallback_is_passed_over(factory_of: FactoryOf) -> None:
    factory = factory_of("status-500", "plain-3")
    steps = await steps_of(factory, "openai/status-500", "gone/model", "openai/plain-3")
    assert text_of(steps) == "word0 word1 word2 "


async def test_a_providers_own_sentence_goes_nowhere(
    factory_of: FactoryOf, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Unavailable) as caught:
        await steps_of(factory_of("status-400"), "openai/status-400")
    said = capsys.readouterr()
    everything = f"{caught.value.envelope('x')}{caught.value.__cause__!r}{said.out}{said.err}"
    assert "scripted_400" in everything
    assert "SECRET" not in everything


async def test_connections_are_used_again(factory_of: FactoryOf, upstream: Upstream) -> None:
    factory = factory_of("plain-3")
    for _ in range(3):
        await steps_of(factory, "openai/plain-3")
    assert len({request.peer for request in upstream.requests}) == 1


def counted(name: str, **labels: str) -> float:
    """A metric as it stands."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_operators_see_attempts_switches_tokens_and_breakers(
    factory_of: FactoryOf, upstream: Upstream
) -> None:
    upstream.scripts["seen"] = [Script(status=400)]
    ok = {"model": "anthropic/seen-too", "outcome": "ok"}
    refused = {"model": "openai/seen", "outcome": "rejected"}
    factory = factory_of("seen", "seen-too")
    await steps_of(factory, "openai/seen", "anthropic/seen-too")
    assert counted("kari_chat_model_attempts_total", **ok) == 1
    assert counted("kari_chat_model_attempts_total", **refused) == 1
    tokens = {"model": "anthropic/seen-too", "direction": "completion"}
    assert counted("kari_chat_model_tokens_total", **tokens) == 4
    assert counted("kari_chat_model_first_text_seconds_count", model="anthropic/seen-too") == 1
    assert counted("kari_chat_model_breaker_state", provider="openai") == 0


def test_every_choice_is_counted_by_model_and_rule(factory_of: FactoryOf) -> None:
    labels = {"model": "openai/chosen", "rule": "default"}
    principal = Principal("user_1", "tenant_1", frozenset())
    factory_of("chosen").select(Wish("", Mode.CONVERSATION_MODE_CHAT, "Hi"), principal)
    assert counted("kari_chat_model_selections_total", **labels) == 1


@pytest.mark.parametrize("model", ["silent", "stuck", "slow-10000"])
async def test_closing_the_factory_ends_answers_under_way(
    factory_of: FactoryOf, upstream: Upstream, model: str
) -> None:
    factory = factory_of(ModelEntry(id=model, context_window=500_000))
    answering = asyncio.create_task(steps_of(factory, f"openai/{model}"))
    await upstream.asked_for(1)
    await asyncio.sleep(0.05)
    await factory.close()
    with pytest.raises(Unavailable):
        await answering
