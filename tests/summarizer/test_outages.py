"""Somebody dies or is away: no summary that is due is lost, and none is made twice."""

from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client import REGISTRY

from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.production_memory.v1 import production_memory_pb2 as contract
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from servers.runtime.call import Call, acting
from servers.runtime.durations import duration
from servers.runtime.ids import new_correlation_id
from servers.runtime.settings import Placement, Settings
from tests.breakable_stores import BreakableStores
from tests.hosting import hosting, until
from tests.production_memory.vectors import vectors_of
from tests.summarizer.conftest import SERVERS
from tests.summarizer.study import ROLLING, Study
from tests.summarizer.test_due import GARDEN


async def stores_of(stack: AsyncExitStack, path: Path) -> tuple[BreakableStores, Settings]:
    """Stores of this test's own, on which nobody else summarizes."""
    stores = await stack.enter_async_context(BreakableStores(path))
    return stores, stores.settings().model_copy(update={"summary_turns": 3})


async def opened(stack: AsyncExitStack, settings: Settings, *servers: str) -> Study:
    """Servers, and somebody with a conversation."""
    study = Study(await stack.enter_async_context(hosting(settings, *servers)))
    stack.enter_context(study.somebody.acts(study.wiring))
    stack.push_async_callback(study.close)
    return study


async def claimed(study: Study, seconds: float) -> contract.SummaryTask:
    """The task that a summarizer was given before it died."""
    stub = study.wiring.stub("summarizer", "production_memory", ProductionMemoryServiceStub)
    request = contract.ClaimSummariesRequest(
        lease=contract.Lease(owner="dies", duration=duration(seconds)),
        rolling_turns=3,
        rest=duration(3600),
    )

    async def given() -> list[contract.SummaryTask]:
        with acting(Call(new_correlation_id())):
            return list((await stub.ClaimSummaries(request)).tasks)

    (task,) = await until(given)
    return task


async def test_what_a_dead_summarizer_had_claimed_is_made_once(tmp_path: Path) -> None:
    """By the next one, when the claim has run out; what the first one still writes changes nothing,
    and neither does what it writes before."""
    async with AsyncExitStack() as stack:
        _, settings = await stores_of(stack, tmp_path)
        async with AsyncExitStack() as before:
            study = await opened(before, settings, *SERVERS[1:])
            await study.talk(*GARDEN, *GARDEN)
            task = await claimed(study, 0.5)
        assert (task.first_sequence, task.last_sequence) == (1, 6)
        conversation_id, somebody = study.conversation_id, study.somebody
        wiring = await stack.enter_async_context(hosting(settings, *SERVERS))
        study = Study(wiring, somebody, conversation_id)
        stack.enter_context(somebody.acts(wiring))
        first, second = await study.summaries(2, ROLLING)
        assert second.message_range.first_sequence == 7
        late = type(first)()
        late.CopyFrom(first)
        late.summary = "what the dead one would have written"
        answer = await study.memory.stub.WriteSummary(contract.WriteSummaryRequest(summary=late))
        assert (answer.repeated_request, answer.summary) == (True, first)
        assert len(await study.summaries(2, ROLLING)) == 2


async def test_without_milvus_summaries_are_made_and_found_there_later(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stores, settings = await stores_of(stack, tmp_path)
        study = await opened(stack, settings, *SERVERS)
        await stores.kill("milvus")
        await study.talk(*GARDEN)
        (made,) = await study.summaries(1, ROLLING)
        await stores.start("milvus")

        async def indexed() -> bool:
            return made.id in await vectors_of(settings, study.somebody.tenant_id)

        await until(indexed, 60)


async def test_without_redis_summaries_are_made(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stores, settings = await stores_of(stack, tmp_path)
        study = await opened(stack, settings, *SERVERS)
        await stores.kill("redis")
        await study.talk(*GARDEN)
        assert await study.summaries(1, ROLLING)


async def test_when_postgres_comes_back_the_summarizer_goes_on(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stores, settings = await stores_of(stack, tmp_path)
        study = await opened(stack, settings, *SERVERS)
        await study.talk(*GARDEN)
        assert await study.summaries(1, ROLLING)
        await stores.kill("postgres")
        await stores.start("postgres")
        await study.talk(*GARDEN)
        assert await study.summaries(2, ROLLING)


async def test_without_an_embedder_nothing_is_kept_that_would_be_worse(tmp_path: Path) -> None:
    """Spread, the model factory has a port of its own, where nobody listens here. What is only
    asked for is made by words, and says so."""
    async with AsyncExitStack() as stack:
        _, settings = await stores_of(stack, tmp_path)
        settings = settings.model_copy(update={"placement": Placement.SPREAD})
        study = await opened(stack, settings, "summarizer", "production_memory")
        made = await study.summarize(("Ada", "Whales live in the sea. They sing long songs."))
        missing = Degradation(feature=Feature.FEATURE_SEMANTIC_RECALL, cause="model_factory")
        assert list(made.degradations) == [missing]
        assert made.summary.summary.startswith("Ada: ")
        await study.talk(*GARDEN)

        async def failed() -> bool:
            cause = {"cause": "REASON_SERVER_UNAVAILABLE"}
            return bool(REGISTRY.get_sample_value("kari_chat_summary_failures_total", cause))

        await until(failed)
        assert not (
            await study.memory.stub.ListSummaries(
                contract.ListSummariesRequest(conversation_id=study.conversation_id)
            )
        ).summaries
