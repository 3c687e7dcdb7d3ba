"""A run goes on in one place at a time: who resumes one that is under way, or is refused for some
other reason, harms nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from kari.capsules.v1.capsules_pb2 import CapsuleResult, Run
from kari.conversation_models.v1.audit_pb2 import AuditOutcome
from kari.errors.v1.errors_pb2 import ErrorType, Reason
from tests.capsules.workshop import Workshop, manifest, worker_processes, write
from tests.hosting import connect_as, until
from tests.stream_processor.conditions import metric

FAILED = AuditOutcome.AUDIT_OUTCOME_FAILED
REFUSED = AuditOutcome.AUDIT_OUTCOME_REFUSED
UNDER_WAY = Reason.REASON_RUN_UNDER_WAY
TIRES = """
await skill.checkpoint(1)
if skill.state is None:
    raise ValueError("again")
return {"from": skill.state}
"""


@asynccontextmanager
async def under_way(
    workshop: Workshop, seconds: float = 600
) -> AsyncIterator[tuple[Run, "asyncio.Task[CapsuleResult]"]]:
    """A run that has kept a checkpoint and ends after so many seconds."""
    first = Workshop(workshop.wiring, workshop.folder, workshop.somebody)
    running = asyncio.create_task(first.run("keeper", {"seconds": seconds}))

    async def kept() -> bool:
        return bool(first.told)

    try:
        await until(kept)
        (run,) = await workshop.runs()
        yield run, running
    finally:
        running.cancel()
        await asyncio.wait({running})


async def dies(workshop: Workshop, run_id: str) -> None:
    """What is left of a run some time after its server died."""
    tenant = workshop.somebody.tenant_id
    connection = await connect_as(workshop.wiring.settings, "capsules", tenant)
    try:
        query = "UPDATE runs SET alive_until = statement_timestamp() WHERE id = $1"
        assert await connection.execute(query, run_id) == "UPDATE 1"
    finally:
        await connection.close()


async def test_a_run_that_is_under_way_is_not_resumed_and_ends_well(workshop: Workshop) -> None:
    """Who tries is told when to try again, and it is in the trail; the run does not notice."""
    async with under_way(workshop, 4) as (run, running):
        assert run.under_way
        refused = await workshop.run("keeper", {}, resume_run_id=run.id)
        error = refused.error
        assert (refused.run_id, refused.resumable) == (run.id, True)
        assert (error.reason, error.type) == (UNDER_WAY, ErrorType.ERROR_TYPE_CONFLICT)
        assert error.retryable
        assert 0 < error.retry_after.ToSeconds() <= 15
        finished = await running
    assert finished.success, finished
    (run,) = await workshop.runs()
    assert (run.ended, run.under_way) == (True, False)
    (entry,) = [e for e in await workshop.audited(REFUSED) if e.outcome == REFUSED]
    assert (entry.reason, entry.details["run"]) == ("REASON_RUN_UNDER_WAY", run.id)


async def test_a_run_whose_server_died_goes_on_and_what_is_left_of_it_ends(
    workshop: Workshop,
) -> None:
    """One that was only thought to be dead learns of it and stops."""
    async with under_way(workshop) as (run, running):
        await dies(workshop, run.id)
        assert await workshop.result("keeper", {}, resume_run_id=run.id) == {"from": 1}
        finished = await running
    assert finished.error.reason == UNDER_WAY
    assert "taken over" in finished.error.message


async def test_a_run_whose_caller_went_away_can_go_on_at_once(workshop: Workshop) -> None:
    """Nobody waits until its claim has run out."""
    async with under_way(workshop) as (run, running):
        running.cancel()

        async def goes_on() -> bool:
            return (await workshop.run("keeper", {}, resume_run_id=run.id)).success

        await until(goes_on, 10)


async def test_a_refused_resume_leaves_the_run_as_it_was(workshop: Workshop) -> None:
    """While the capsule rests, or its new version asks for other input, it is not taken."""
    await workshop.put("tires", TIRES, "resumable = true")
    runs = [await workshop.run("tires") for _ in range(5)]
    assert all(run.resumable and run.error.details["run_id"] == run.run_id for run in runs)
    first = {"resume_run_id": runs[0].run_id}
    error = await workshop.error("tires", {}, **first)
    assert error.reason == Reason.REASON_CAPSULE_RESTING
    text = manifest("tires", "resumable = true") + 'required = ["n"]\n'
    write(workshop.folder / "tires", manifest=text)
    await workshop.listed("capsule.tires", text)
    error = await workshop.error("tires", {}, **first)
    assert error.reason == Reason.REASON_TOOL_ARGUMENTS
    await workshop.put("tires", TIRES, "resumable = true")
    assert await workshop.result("tires", {}, **first) == {"from": 1}


async def test_a_run_whose_process_is_killed_can_go_on(workshop: Workshop) -> None:
    """The run fails with a sentence, is in the trail, and is released."""
    async with under_way(workshop) as (run, running):
        for process in worker_processes():
            process.kill()
        finished = await running
    error = finished.error
    assert error.reason == Reason.REASON_CAPSULE_FAILED
    assert "its process ended before the run did" in error.message
    assert (finished.run_id, finished.resumable) == (run.id, True)
    assert dict(error.details) == {"run_id": run.id, "resumable": "true"}
    entry = (await workshop.audited(FAILED))[-1]
    assert (entry.reason, entry.details["run"]) == ("REASON_CAPSULE_FAILED", run.id)
    assert await workshop.result("keeper", {}, resume_run_id=run.id) == {"from": 1}


@asynccontextmanager
async def without(workshop: Workshop, right: str, table: str, role: str) -> AsyncIterator[None]:
    """A store that is there and does not do what it is asked for: a server has lost a right."""
    url = workshop.wiring.settings.postgres_url
    assert url is not None
    owner = await asyncpg.connect(url.get_secret_value())
    try:
        await owner.execute(f"REVOKE {right} ON {table} FROM {role}")
        yield
    finally:
        await owner.execute(f"GRANT {right} ON {table} TO {role}")
        await owner.close()


async def test_a_run_ends_well_whatever_becomes_of_its_claim(workshop: Workshop) -> None:
    """Each failure is counted; what could not be closed is under way no longer than its claim."""
    failures = {at: claim_failures(at) for at in ("renew", "end")}
    async with under_way(workshop, 6) as (run, running):
        async with without(workshop, "UPDATE", "capsules.runs", "kari_capsules"):
            finished = await running
        assert finished.success, finished
        assert all(claim_failures(at) > before for at, before in failures.items())
        (left,) = await workshop.runs()
        assert not left.ended
        await dies(workshop, run.id)
        assert await workshop.result("keeper", {}, resume_run_id=run.id) == {"from": 1}


async def test_no_run_goes_on_unrecorded(workshop: Workshop) -> None:
    """While the trail is away whoever resumes one is told to try again, and the run stays."""
    async with under_way(workshop) as (run, running):
        running.cancel()
        await until(lambda: is_left(workshop))
        async with without(workshop, "INSERT", "audit.records", "kari_audit"):
            error = await workshop.error("keeper", {}, resume_run_id=run.id)
            assert (error.reason, error.retryable) == (Reason.REASON_STORE_UNAVAILABLE, True)

        async def goes_on() -> bool:
            return (await workshop.run("keeper", {}, resume_run_id=run.id)).success

        await until(goes_on, 20)


async def is_left(workshop: Workshop) -> bool:
    """Whether nobody goes on with the user's only run."""
    (run,) = await workshop.runs()
    return not run.under_way


def claim_failures(at: str) -> float:
    """As counted."""
    return metric("kari_capsule_claim_failures_total", at=at)


async def test_a_caller_without_time_is_told_that_the_run_can_go_on(workshop: Workshop) -> None:
    """The capsule is ended before the call is; the trail knows how."""
    finished = await workshop.run("keeper", {"seconds": 600}, within=8)
    error = finished.error
    assert (error.reason, error.type) == (
        Reason.REASON_TOOL_TIMEOUT,
        ErrorType.ERROR_TYPE_TIMEOUT,
    )
    assert dict(error.details)["resumable"] == "true"
    assert error.details["run_id"] == finished.run_id
    entry = (await workshop.audited(FAILED))[-1]
    assert (entry.reason, entry.details["status"]) == ("REASON_TOOL_TIMEOUT", "timeout")
    again = await workshop.result("keeper", {}, resume_run_id=finished.run_id)
    assert again == {"from": 1}


async def test_a_capsule_rests_for_its_own_time_and_not_for_that_of_callers(
    workshop: Workshop,
) -> None:
    """Whoever has little time says nothing of the capsule."""
    timeout = Reason.REASON_TOOL_TIMEOUT
    runs = await asyncio.gather(*(workshop.run("waiter", within=3) for _ in range(6)))
    assert {run.error.reason for run in runs} == {timeout}
    assert (await workshop.error("waiter", within=3)).reason == timeout
    runs = await asyncio.gather(*(workshop.run("overruns") for _ in range(6)))
    assert {run.error.reason for run in runs} == {timeout}
    assert (await workshop.error("overruns")).reason == Reason.REASON_CAPSULE_RESTING
