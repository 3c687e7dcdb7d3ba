"""The server as its callers see it: over gRPC, with all interceptors."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import protovalidate
import pytest
import pytest_asyncio

from kari.conversation_models.v1.model_pb2 import FinishReason, SelectionRule
from kari.errors.v1.errors_pb2 import Reason
from kari.model_factory.v1.model_factory_pb2 import (
    EmbedRequest,
    GenerateRequest,
    ListModelsRequest,
    SelectModelRequest,
)
from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceStub
from servers.runtime.errors import envelope_of
from servers.runtime.settings import Settings
from servers.wiring import Wiring
from tests.hosting import Somebody, hosting
from tests.model_factory.conftest import says
from tests.model_factory.tools import CALCULATOR, RESEARCHER, gave, wants
from tests.model_factory.vendors import approved
from tests.upstream.script import Call, Ending, Script, asks_for, call
from tests.upstream.server import Upstream

MODELS = """
[providers.up]
kind = "openai"
base_url = "{base_url}"
timeouts = {{ first_token = 10.0, idle = 10.0 }}
[[providers.up.models]]
id = "plain-3"
[[providers.up.models]]
id = "m"
[[providers.up.models]]
id = "quiet"
calls_tools = false
[[providers.up.models]]
id = "slow-10000"
roles = ["chat.models.large"]

[breaker]
failures = 1000
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def provider() -> AsyncIterator[Upstream]:
    """One scripted provider for all tests."""
    async with Upstream() as running:
        yield running


@pytest.fixture
def upstream(provider: Upstream) -> Upstream:
    """It, of which nothing was asked yet."""
    provider.forget()
    return provider


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def wiring(
    provider: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Wiring]:
    """A mesh of this server alone. It loads its models when it starts, which takes seconds."""
    data = tmp_path_factory.mktemp("model_factory")
    (data / "models.toml").write_text(MODELS.format(base_url=provider.base_url))
    async with hosting(Settings(data=data), "model_factory") as running:
        yield running


@pytest.fixture
def stub(wiring: Wiring) -> ModelFactoryServiceStub:
    """A stub as the orchestrator has it."""
    return wiring.stub("chat_orchestrator", "model_factory", ModelFactoryServiceStub)


def request(model: str, *fallbacks: str) -> GenerateRequest:
    return GenerateRequest(
        model=model, fallback_model_ids=fallbacks, messages=says("Be brief.", "Hello?")
    )


async def read_all(stub: ModelFactoryServiceStub, asked: GenerateRequest) -> None:
    """Reads an answer to its end."""
    async for _ in stub.Generate(asked):
        pass


async def refused(call: object) -> Reason.ValueType:
    """The reason with which a call ends."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    envelope = envelope_of(caught.value)
    assert envelope is not None
    return envelope.reason


async def test_an_answer_streams_to_its_end(wiring: Wiring, stub: ModelFactoryServiceStub) -> None:
    with Somebody().acts(wiring):
        events = [event async for event in stub.Generate(request("up/plain-3"))]
    assert events[0].started.model == "up/plain-3"
    assert "".join(event.delta for event in events) == "word0 word1 word2 "
    assert events[-1].finished.usage.completion_tokens == 3
    assert events[-1].finished.usage.HasField("time_to_first_token")


async def test_a_model_asks_for_tools_reads_their_results_and_answers(
    wiring: Wiring, stub: ModelFactoryServiceStub, upstream: Upstream
) -> None:
    upstream.scripts["m"] = [
        asks_for(call("capsule.web_researcher", query="ships"), call("calculator"), text="Hm."),
        Script(),
    ]
    asked = GenerateRequest(model="up/m", messages=says("S", "Go."), tools=[CALCULATOR, RESEARCHER])
    with Somebody().acts(wiring):
        events = [event async for event in stub.Generate(asked)]
        calls = [event.tool_call for event in events if event.HasField("tool_call")]
        asked.messages.extend([wants(*calls, text="Hm."), *(gave(c, "done") for c in calls)])
        answer = [event async for event in stub.Generate(asked)]
    assert [event.WhichOneof("event") for event in events[-3:]] == [
        "tool_call",
        "tool_call",
        "finished",
    ]
    assert events[-1].finished.reason == FinishReason.FINISH_REASON_TOOL_CALLS
    assert [c.tool_id for c in calls] == ["capsule.web_researcher", "calculator"]
    assert "".join(event.delta for event in answer) == "Hello from upstream."
    sent = approved("openai", upstream.requests[1].body)["messages"]
    assert [message.get("tool_call_id") for message in sent[-2:]] == [c.id for c in calls]


async def test_what_a_made_up_call_says_fits_the_contract(
    wiring: Wiring, stub: ModelFactoryServiceStub, upstream: Upstream
) -> None:
    """The orchestrator has to be able to send it on, so that the registry can refuse it."""
    upstream.scripts["m"] = [asks_for(Call("x" * 5000, "y" * 200_000), Call("rm -rf /", "no json"))]
    with Somebody().acts(wiring):
        events = [event async for event in stub.Generate(request("up/m"))]
    calls = [event.tool_call for event in events if event.HasField("tool_call")]
    assert calls[1].tool_id == "rm -rf /"
    for each in calls:
        protovalidate.validate(each)


async def test_tools_that_cannot_be_told_of_are_refused_with_their_field(
    wiring: Wiring, stub: ModelFactoryServiceStub, upstream: Upstream
) -> None:
    broken = request("up/m")
    broken.tools.add(id="t", parameters_schema="no schema")
    with Somebody().acts(wiring):
        assert await refused(read_all(stub, broken)) == Reason.REASON_FIELD_INVALID
    assert not upstream.requests


async def test_models_say_whether_they_call_tools(
    wiring: Wiring, stub: ModelFactoryServiceStub
) -> None:
    with Somebody().acts(wiring):
        listed = (await stub.ListModels(ListModelsRequest())).models
        chosen = (await stub.SelectModel(SelectModelRequest(content="Hi"))).selection.model
    said = {model.id: model.calls_tools for model in listed}
    assert (said["up/m"], said["up/quiet"], said["local/smollm2-135m"]) == (True, False, False)
    assert chosen.calls_tools


async def test_a_switch_carries_the_envelope_of_the_failure(
    wiring: Wiring, stub: ModelFactoryServiceStub, upstream: Upstream
) -> None:
    upstream.scripts["m"] = [Script(status=400)]
    with Somebody().acts(wiring) as call:
        events = [event async for event in stub.Generate(request("up/m", "up/plain-3"))]
    (error,) = [event.switched.error for event in events if event.HasField("switched")]
    assert error.reason == Reason.REASON_PROVIDER_ERROR
    assert error.correlation_id == call.correlation_id


async def test_cancelling_the_call_ends_the_providers_work(
    wiring: Wiring, stub: ModelFactoryServiceStub, upstream: Upstream
) -> None:
    with Somebody().acts(wiring):
        call = stub.Generate(request("up/slow-10000"))
        async for event in call:
            if event.delta:
                call.cancel()
                break
    await upstream.requests[0].ended.wait()
    assert upstream.requests[0].gone


async def test_cancelling_before_the_provider_said_anything_ends_its_work_too(
    wiring: Wiring, stub: ModelFactoryServiceStub, upstream: Upstream
) -> None:
    upstream.scripts["m"] = [Script(silent=True)]
    with Somebody().acts(wiring):
        call = stub.Generate(request("up/m"))
        reading = asyncio.create_task(anext(aiter(call)))
        await upstream.asked_for(1)
        call.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await upstream.requests[0].ended.wait()
    assert upstream.requests[0].gone


async def test_a_cut_after_text_ends_the_stream_with_its_reason(
    wiring: Wiring, stub: ModelFactoryServiceStub, upstream: Upstream
) -> None:
    upstream.scripts["m"] = [Script(ending=Ending.CUT)]
    texts: list[str] = []

    async def read() -> None:
        async for event in stub.Generate(request("up/m", "up/plain-3")):
            texts.append(event.delta)

    with Somebody().acts(wiring):
        assert await refused(read()) == Reason.REASON_PROVIDER_ERROR
    assert "".join(texts) == "Hello from upstream."


async def test_the_choice_is_explained_and_ends_with_the_local_model(
    wiring: Wiring, stub: ModelFactoryServiceStub
) -> None:
    with Somebody().acts(wiring):
        found = (await stub.SelectModel(SelectModelRequest(content="Hi"))).selection
    assert (found.model.id, found.rule) == ("up/plain-3", SelectionRule.SELECTION_RULE_DEFAULT)
    assert found.explanation == "up/plain-3 answers by default"
    assert list(found.fallback_model_ids) == ["local/smollm2-135m"]


async def test_wishes_that_cannot_be_met_are_refused_with_their_reason(
    wiring: Wiring, stub: ModelFactoryServiceStub
) -> None:
    unknown = SelectModelRequest(override="up/none")
    guarded = SelectModelRequest(override="up/slow-10000")
    with Somebody().acts(wiring):
        assert await refused(stub.SelectModel(unknown)) == Reason.REASON_MODEL_NOT_FOUND
        assert await refused(stub.SelectModel(guarded)) == Reason.REASON_ROLE_MISSING
    entitled = Somebody(roles=frozenset({"chat.user", "chat.models.large"}))
    with entitled.acts(wiring):
        found = await stub.SelectModel(guarded)
    assert found.selection.rule == SelectionRule.SELECTION_RULE_OVERRIDE


async def test_models_are_listed_in_pages(wiring: Wiring, stub: ModelFactoryServiceStub) -> None:
    names, token = [], ""
    with Somebody().acts(wiring):
        for _ in range(3):
            page = await stub.ListModels(ListModelsRequest(page_size=2, page_token=token))
            names += [model.id for model in page.models]
            token = page.next_page_token
    assert names == ["local/smollm2-135m", "up/m", "up/plain-3", "up/quiet", "up/slow-10000"]
    assert not token


async def test_texts_are_embedded_in_order(wiring: Wiring, stub: ModelFactoryServiceStub) -> None:
    with Somebody().acts(wiring):
        both = await stub.Embed(EmbedRequest(texts=["ships", "cars"]))
        one = await stub.Embed(EmbedRequest(texts=["cars"]))
    assert [len(e.values) for e in both.embeddings] == [384, 384]
    assert both.embeddings[1] == one.embeddings[0]
    assert both.model == "local/all-minilm-l6-v2"
