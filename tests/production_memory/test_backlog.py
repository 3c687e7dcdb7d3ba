"""Work that waits is counted; what cannot be done is set aside, seen, and retried or dropped."""

from collections.abc import Iterator
from datetime import timedelta

import asyncpg
import pytest
from prometheus_client import REGISTRY

from kari.errors.v1.errors_pb2 import ErrorType, Reason
from kari.production_memory.v1.jobs_pb2 import (
    CountJobsRequest,
    DiscardJobsRequest,
    FailedJob,
    JobCount,
    ListFailedJobsRequest,
    RetryJobsRequest,
)
from servers.production_memory.tables import QUERIES
from servers.runtime.call import Call, acting
from servers.runtime.errors import InvalidRequest, Unavailable
from servers.runtime.ids import new_correlation_id
from tests.hosting import until
from tests.production_memory.memory import Memory, refusal
from tests.production_memory.vectors import vectors_of

REFUSED = InvalidRequest(Reason.REASON_FIELD_INVALID, "not this one")
AWAY = Unavailable(Reason.REASON_SERVER_UNAVAILABLE, "starting")


@pytest.fixture
def picky(memory: Memory) -> Iterator[Memory]:
    """Its embedder says no to texts that name the tenant."""
    memory.embedder.refused = memory.somebody.tenant_id
    yield memory
    memory.embedder.refusal = None


async def counts(memory: Memory) -> JobCount:
    """Those of embed jobs, as the operator sees them."""
    with acting(Call(new_correlation_id())):
        response = await memory.stub.CountJobs(CountJobsRequest())
    return next((each for each in response.counts if each.kind == "embed"), JobCount())


async def failed(memory: Memory) -> list[FailedJob]:
    """This tenant's jobs that were set aside; pages of one, all of them."""
    found, token = list[FailedJob](), ""
    with acting(Call(new_correlation_id())):
        while True:
            request = ListFailedJobsRequest(page_size=1, page_token=token)
            page = await memory.stub.ListFailedJobs(request)
            found += page.jobs
            token = page.next_page_token
            if not token:
                break
    return [job for job in found if job.tenant_id == memory.somebody.tenant_id]


async def set_aside(memory: Memory, count: int = 1) -> list[FailedJob]:
    """Those, once there are so many."""

    async def enough() -> list[FailedJob] | None:
        found = await failed(memory)
        return found if len(found) >= count else None

    return await until(enough)


async def indexed(memory: Memory, count: int) -> None:
    async def enough() -> bool:
        return len(await vectors_of(memory.wiring.settings, memory.somebody.tenant_id)) >= count

    await until(enough)


async def retry(memory: Memory, *ids: int) -> int:
    with acting(Call(new_correlation_id())):
        return (await memory.stub.RetryJobs(RetryJobsRequest(job_ids=ids))).retried


async def discard(memory: Memory, *ids: int) -> int:
    with acting(Call(new_correlation_id())):
        return (await memory.stub.DiscardJobs(DiscardJobsRequest(job_ids=ids))).discarded


async def test_a_job_that_cannot_be_done_is_set_aside_and_told(picky: Memory) -> None:
    """What, when, with which error and for whose call; no text of it."""
    picky.embedder.refusal = REFUSED
    await picky.exchange(f"about {picky.somebody.tenant_id}", "answer")
    (job,) = await set_aside(picky)
    assert (job.kind, job.error, job.retries) == ("embed", "REASON_FIELD_INVALID", 0)
    assert job.correlation_id
    assert job.queued_at.ToNanoseconds() < job.failed_at.ToNanoseconds()
    assert (await counts(picky)).failed >= 1
    assert await discard(picky, job.id) == 1


async def test_what_was_set_aside_is_done_when_it_is_retried(picky: Memory) -> None:
    """By its number, once."""
    picky.embedder.refusal = REFUSED
    await picky.exchange(f"about {picky.somebody.tenant_id}", "answer")
    (job,) = await set_aside(picky)
    picky.embedder.refusal = None
    assert await retry(picky, job.id) == 1
    await indexed(picky, 2)
    assert await retry(picky, job.id) == 0
    assert await failed(picky) == []


async def test_all_that_were_set_aside_are_retried_together(picky: Memory) -> None:
    picky.embedder.refusal = REFUSED
    for _ in range(3):
        await picky.exchange(f"about {picky.somebody.tenant_id}", "answer")
    await set_aside(picky, 3)
    picky.embedder.refusal = None
    assert await retry(picky) >= 3
    await indexed(picky, 6)


async def test_what_was_discarded_is_gone(picky: Memory) -> None:
    """Only what was set aside can be."""
    picky.embedder.refusal = REFUSED
    await picky.exchange(f"about {picky.somebody.tenant_id}", "answer")
    (job,) = await set_aside(picky)
    assert await discard(picky, job.id, job.id + 1_000_000) == 1
    assert await failed(picky) == []
    assert await retry(picky, job.id) == 0


async def test_a_job_that_fails_while_others_are_done_is_set_aside_in_the_end(
    picky: Memory, owner: asyncpg.Connection
) -> None:
    """Its error says that it may pass, and never does; the others wait for none of its attempts."""
    picky.embedder.refusal = AWAY
    await picky.exchange(f"about {picky.somebody.tenant_id}", "answer")
    done = 0

    async def in_the_end() -> list[FailedJob]:
        nonlocal done
        await picky.exchange("question", "answer")
        done += 2
        await indexed(picky, done)
        # As if it had waited for as long as it has to.
        await owner.execute("UPDATE production_memory.pgqueuer SET execute_after = now()")
        return await failed(picky)

    (job,) = await until(in_the_end, 45)
    assert (job.error, job.retries) == ("REASON_SERVER_UNAVAILABLE", 4)
    assert await discard(picky, job.id) == 1


async def test_while_the_embedder_is_away_jobs_wait_and_none_is_set_aside(memory: Memory) -> None:
    """However often they were tried; they are counted, and done when it is back."""
    tried = len(memory.embedder.batches)
    memory.embedder.failure = AWAY
    try:
        for _ in range(3):
            await memory.exchange("question", "answer")

        async def tried_often() -> bool:
            return len(memory.embedder.batches) >= tried + 3

        await until(tried_often)
        waiting = await counts(memory)
        assert waiting.waiting + waiting.running >= 3
        assert waiting.HasField("oldest_at")
        assert await failed(memory) == []
    finally:
        memory.embedder.failure = None
    await indexed(memory, 6)


async def test_the_queue_is_shown_as_metrics(memory: Memory) -> None:
    """Each state of each kind, also where there is nothing."""
    for state in ("waiting", "running", "failed"):
        labels = {"kind": "embed", "state": state}
        assert REGISTRY.get_sample_value("kari_chat_jobs", labels) is not None
    assert REGISTRY.get_sample_value("kari_chat_jobs_oldest_seconds", {"kind": "embed"}) is not None


async def test_why_a_job_was_set_aside_outlives_the_log(
    picky: Memory, owner: asyncpg.Connection
) -> None:
    """It is tidied every week; what still has to be decided stays."""
    picky.embedder.refusal = REFUSED
    await picky.exchange(f"about {picky.somebody.tenant_id}", "answer")
    (job,) = await set_aside(picky)
    connection = await picky.connect()
    await connection.execute(QUERIES.forget_old_jobs, timedelta(0))
    await connection.close()
    logged = "SELECT count(*) FROM production_memory.pgqueuer_log WHERE status = 'successful'"
    assert await owner.fetchval(logged) == 0
    assert [each.error for each in await failed(picky)] == [job.error]
    assert await discard(picky, job.id) == 1


async def test_a_token_of_another_list_is_refused(memory: Memory) -> None:
    with acting(Call(new_correlation_id())):
        request = ListFailedJobsRequest(page_token="nonsense")
        refused = await refusal(memory.stub.ListFailedJobs(request))
    assert refused.type == ErrorType.ERROR_TYPE_VALIDATION
