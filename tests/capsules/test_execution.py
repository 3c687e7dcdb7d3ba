"""What is enforced on every run, and what is left of it."""

import asyncio
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from kari.capsules.v1.capsules_pb2 import ExecuteRequest
from kari.conversation_models.v1.audit_pb2 import AuditOutcome
from kari.errors.v1.errors_pb2 import ErrorType, Reason
from servers.runtime.ids import new_id
from tests.capsules.workshop import Workshop, write
from tests.hosting import Somebody, until
from tests.tool_integration.bench import Bench

ADMITTED, REFUSED = AuditOutcome.AUDIT_OUTCOME_ADMITTED, AuditOutcome.AUDIT_OUTCOME_REFUSED
DONE, FAILED = AuditOutcome.AUDIT_OUTCOME_DONE, AuditOutcome.AUDIT_OUTCOME_FAILED


KEEPS = """
import asyncio
await skill.progress("on")
await asyncio.sleep(3)
from .v import V
return {"v": V}
"""


def counted(capsule: str, status: str) -> float:
    """Runs of a capsule, by the metric."""
    labels = {"capsule_id": capsule, "status": status}
    return REGISTRY.get_sample_value("capsule_executions_total", labels) or 0.0


async def test_a_capsule_that_is_none(workshop: Workshop) -> None:
    """It is refused, audited, and counted under no name of its own."""
    before = counted("unknown", "refused")
    error = await workshop.error("made_up")
    assert (error.reason, error.type) == (
        Reason.REASON_CAPSULE_NOT_FOUND,
        ErrorType.ERROR_TYPE_NOT_FOUND,
    )
    assert counted("unknown", "refused") == before + 1
    (entry,) = await workshop.audited(REFUSED)
    assert (entry.resource, entry.reason) == ("capsule.made_up", "REASON_CAPSULE_NOT_FOUND")


async def test_a_role_that_is_missing(workshop: Workshop) -> None:
    """The capsule is not in the list, and is not run; with the role both."""
    assert await workshop.find("capsule.for_admins") is None
    error = await workshop.error("for_admins")
    assert (error.reason, dict(error.details)) == (
        Reason.REASON_ROLE_MISSING,
        {"roles": "chat.config.edit"},
    )
    editor = Somebody(roles=frozenset({"chat.user", "chat.config.edit"}))
    other = Workshop(workshop.wiring, workshop.folder, editor)
    assert await other.find("capsule.for_admins")
    assert await other.result("for_admins") == {}


@pytest.mark.parametrize(
    ("given", "field"),
    [({}, "input"), ({"m": 1}, "input"), ([], "input"), (None, "input"), ("x", "input")],
)
async def test_input_that_breaks_the_schema(workshop: Workshop, given: object, field: str) -> None:
    """It is named; nothing runs."""
    error = await workshop.error("picky", given)
    assert error.reason == Reason.REASON_TOOL_ARGUMENTS
    assert error.violations[0].field.startswith(field)


async def test_too_deep(workshop: Workshop) -> None:
    """Capsules that call tools that call capsules come to an end."""
    error = await workshop.error("hello", depth=3)
    assert error.reason == Reason.REASON_TOOL_DEPTH


async def test_a_run_is_in_the_trail_before_and_after(workshop: Workshop) -> None:
    """With digest and version, without what was said; and it is counted and timed."""
    before = counted("capsule.hello", "done")
    call = new_id("call")
    finished = await workshop.run("hello", {"who": "Zanzibar"}, call_id=call)
    first, second = await workshop.audited(DONE)
    assert [first.outcome, second.outcome] == [ADMITTED, DONE]
    assert first.action == "capsule.run"
    assert first.resource == "capsule.hello"
    assert first.details["run"] == second.details["run"] == finished.run_id
    assert first.details["call"] == call
    assert first.details["version"] == "1.0.0"
    assert len(first.details["input_sha256"]) == 64
    assert "Zanzibar" not in str((first, second))
    assert counted("capsule.hello", "done") == before + 1


async def test_a_failed_run_is_in_the_trail(workshop: Workshop) -> None:
    """With the reason."""
    await workshop.run("raises")
    _, entry = await workshop.audited(FAILED)
    assert (entry.reason, entry.details["status"]) == ("REASON_CAPSULE_FAILED", "failed")


async def test_what_a_capsule_cannot_do_it_says(workshop: Workshop) -> None:
    """That is no failure of its own: it never rests for that."""
    for _ in range(6):
        error = await workshop.error("says_why")
        assert error.reason == Reason.REASON_MODEL_TOO_SMALL
        assert error.message == "this needs a capable model"


async def test_a_capsule_that_keeps_failing_rests(workshop: Workshop) -> None:
    """After five failures in a row nobody waits for it; a new version is tried at once."""
    for _ in range(5):
        assert (await workshop.error("tired")).reason == Reason.REASON_CAPSULE_FAILED
    error = await workshop.error("tired")
    assert error.reason == Reason.REASON_CAPSULE_RESTING
    assert 0 < error.retry_after.seconds <= 60
    assert error.retryable


async def test_a_run_goes_on_from_its_last_checkpoint(workshop: Workshop) -> None:
    """With what was asked for then, whatever is asked for now; once it is done it is over."""
    first = await workshop.run("resumable", {"stop_at": 2})
    assert not first.success
    assert first.resumable
    (run,) = await workshop.runs()
    assert (run.id, run.capsule_id, run.checkpoints, run.ended) == (
        first.run_id,
        "capsule.resumable",
        2,
        False,
    )
    result = await workshop.result("resumable", {}, resume_run_id=first.run_id)
    assert result == {"done": 3, "from": 2, "asked": 2}
    (run,) = await workshop.runs()
    assert run.ended
    error = await workshop.error("resumable", {}, resume_run_id=first.run_id)
    assert error.reason == Reason.REASON_RUN_NOT_FOUND


async def test_a_run_that_its_caller_has_no_time_for_can_go_on(workshop: Workshop) -> None:
    """As in a turn that is nearly over: the run is ended before the call is, and is named."""
    body = "await skill.checkpoint(1)\nimport asyncio\nawait asyncio.sleep(600)\n"
    await workshop.put("dawdler", body, "resumable = true", seconds=300)
    bench = Bench(workshop.wiring, workshop.somebody)

    async def offered() -> bool:
        return "capsule.dawdler" in await bench.tools()

    await until(offered)
    result = await bench.call("capsule.dawdler", seconds=6.0)
    assert result.error.reason == Reason.REASON_TOOL_TIMEOUT
    assert result.error.details["resumable"] == "true"
    assert [run.id for run in await workshop.runs()] == [result.error.details["run_id"]]


async def test_a_run_of_another_is_not_there(workshop: Workshop) -> None:
    """Of another user, of another tenant, of another capsule."""
    first = await workshop.run("resumable", {"stop_at": 1})
    colleague = Somebody(tenant_id=workshop.somebody.tenant_id)
    for somebody in (colleague, Somebody()):
        other = Workshop(workshop.wiring, workshop.folder, somebody)
        assert await other.runs() == []
        error = await other.error("resumable", {}, resume_run_id=first.run_id)
        assert error.reason == Reason.REASON_RUN_NOT_FOUND
    error = await workshop.error("large_state", {}, resume_run_id=first.run_id)
    assert error.reason == Reason.REASON_RUN_NOT_FOUND
    assert (await workshop.run("resumable", {}, resume_run_id=first.run_id)).success


async def test_a_state_has_its_size(workshop: Workshop) -> None:
    """What is larger is not kept."""
    error = await workshop.error("large_state")
    assert error.reason == Reason.REASON_TOO_LARGE
    assert await workshop.runs() == []


async def test_lists_have_pages(workshop: Workshop) -> None:
    """Of runs, the latest first."""
    for _ in range(3):
        await workshop.run("resumable", {"stop_at": 1})
    runs = await workshop.runs()
    assert [run.id for run in runs] == sorted((run.id for run in runs), reverse=True)
    assert await workshop.pages_of_runs(2) == [[r.id for r in runs[:2]], [runs[2].id]]


async def test_two_runs_at_once_do_not_mix(workshop: Workshop) -> None:
    """Each has its own input and its own progress."""
    others = [Workshop(workshop.wiring, workshop.folder) for _ in range(4)]
    results = await asyncio.gather(
        *(o.result("hello", {"who": str(n)}) for n, o in enumerate(others))
    )
    assert [r["text"] for r in results] == [f"Hello {n}!" for n in range(4)]


async def test_an_edit_is_taken_in_and_a_run_under_way_keeps_its_own(workshop: Workshop) -> None:
    """Its modules too, though it imports them late."""
    await workshop.put("edited", KEEPS, v_py="V = 1")
    running = asyncio.create_task(workshop.result("edited"))

    async def on() -> bool:
        return bool(workshop.told)

    await until(on)
    other = Workshop(workshop.wiring, workshop.folder)
    await other.put("edited", "return {'v': 2}", v_py="V = 2")
    assert await other.result("edited") == {"v": 2}
    assert await running == {"v": 1}


async def test_a_broken_edit_makes_it_unavailable(workshop: Workshop) -> None:
    """With what is wrong; its last good version does not run. Mended it is there again."""
    await workshop.put("edited", "return {'v': 1}")
    text = (workshop.folder / "edited/capsule.toml").read_text()
    write(workshop.folder / "edited", manifest=f"version_ = 1\n{text}")
    wrong = "capsule.toml: version_: there is no such field; docs/capsules.md lists them"
    await workshop.until_unavailable("capsule.edited", wrong)
    error = await workshop.error("edited")
    assert error.reason == Reason.REASON_TOOL_UNAVAILABLE
    assert wrong in error.message
    await workshop.put("edited", "return {'v': 3}")
    assert await workshop.result("edited") == {"v": 3}


async def test_a_capsule_comes_and_goes(workshop: Workshop) -> None:
    """Without a restart."""
    assert (await workshop.put("guest", "return {}")).available
    workshop.clear()

    async def gone() -> bool:
        return await workshop.find("capsule.guest") is None

    await until(gone)
    assert (await workshop.error("guest")).reason == Reason.REASON_CAPSULE_NOT_FOUND


async def test_of_two_with_one_id_the_first_counts(workshop: Workshop) -> None:
    """A built-in one before all others; the second is listed with what is wrong."""
    await workshop.put("second_hello", "return {}")
    text = (workshop.folder / "second_hello/capsule.toml").read_text()
    for taken in ("hello", "story_generator"):
        (workshop.folder / "second_hello/capsule.toml").write_text(
            text.replace("capsule.second_hello", f"capsule.{taken}")
        )
        if taken == "story_generator":
            await workshop.until_listed_twice(f"capsule.{taken}", "the id is taken by a built-in")
            assert (await workshop.find(f"capsule.{taken}")).built_in  # type: ignore[union-attr]


async def test_a_user_has_so_many_runs_at_once_and_others_have_theirs(workshop: Workshop) -> None:
    """What is one too many is refused at once, and told; a run that ends makes room."""
    started = asyncio.Queue[None]()

    async def wait() -> None:
        request = ExecuteRequest(capsule_id="capsule.waiter", input_json="{}")
        with workshop.somebody.acts(workshop.wiring):
            async for _ in workshop.stub.Execute(request):
                started.put_nowait(None)

    most = workshop.wiring.settings.capsule_runs_per_user
    waiting = [asyncio.create_task(wait()) for _ in range(most)]
    try:
        for _ in waiting:
            await started.get()
        error = await workshop.error("hello", {"who": "x"})
        assert error.reason == Reason.REASON_TOOL_RATE
        assert "KARI_CAPSULE_RUNS_PER_USER" in error.message
        other = replace(workshop, somebody=Somebody())
        assert (await other.run("hello", {"who": "x"})).success
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)

    async def has_room() -> bool:
        return (await workshop.run("hello", {"who": "x"})).success

    await until(has_room)
