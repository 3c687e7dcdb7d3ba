"""Programs through the server: as the contract says, on record, within the settings."""

import asyncio
import hashlib
import json

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY

from kari.code_execution.v1.code_execution_pb2 import (
    ListRunnersRequest,
    RunFile,
    RunLimits,
    Runner,
    RunOutcome,
)
from kari.conversation_models.v1.audit_pb2 import AuditOutcome
from kari.errors.v1.errors_pb2 import Reason
from servers.code_execution import runners as waiting
from servers.code_execution import self_test
from servers.runtime.errors import KariError, from_rpc
from servers.runtime.settings import Settings
from tests.code_execution.conftest import BOTH, ROLES, Bench, Benches
from tests.hosting import Somebody, hosting, until

MONTY, CPYTHON = Runner.RUNNER_MONTY, Runner.RUNNER_CPYTHON


class Text(str):
    """A text, where a file with one is wanted."""

    def read_text(self) -> str:
        """Itself."""
        return self


async def refused(bench: Bench, code: str = "1", **more: object) -> KariError:
    """The error with which a run is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await bench.run(code, **more)
    return from_rpc(failure.value)


@pytest.mark.parametrize("runner", [MONTY, CPYTHON])
async def test_a_program_prints_and_has_a_value(both: Bench, runner: Runner.ValueType) -> None:
    """In either runner."""
    code = "print('hello', name)\n[count, {'a': 1.5}]"
    given = json.dumps({"name": "Ada", "count": 3})
    response = await both.run(code, runner=runner, inputs_json=given)
    assert response.outcome == RunOutcome.RUN_OUTCOME_DONE, response
    assert response.stdout == "hello Ada\n"
    assert json.loads(response.value_json) == [3, {"a": 1.5}]
    assert response.runner == runner
    assert response.explanation == ""


@pytest.mark.parametrize("runner", [MONTY, CPYTHON])
@pytest.mark.parametrize(
    ("code", "outcome", "said"),
    [
        ("1 / 0", RunOutcome.RUN_OUTCOME_RAISED, "ZeroDivisionError"),
        ("1 +", RunOutcome.RUN_OUTCOME_RAISED, "SyntaxError"),
        ("while True: pass", RunOutcome.RUN_OUTCOME_TIMED_OUT, ""),
        ("'a' * 10**9", RunOutcome.RUN_OUTCOME_OUT_OF_MEMORY, "MemoryError"),
        ("while True: print('x' * 100)", RunOutcome.RUN_OUTCOME_TOO_MUCH_OUTPUT, ""),
        ("import ctypes", RunOutcome.RUN_OUTCOME_REFUSED, "ctypes"),
    ],
)
async def test_what_a_program_does_wrong_is_an_outcome(
    both: Bench,
    runner: Runner.ValueType,
    code: str,
    outcome: RunOutcome.ValueType,
    said: str,
) -> None:
    """Not an error of the mesh."""
    limits = RunLimits(time=Duration(seconds=1), output_bytes=2000)
    response = await both.run(code, runner=runner, limits=limits)
    assert response.outcome == outcome, response
    assert said in response.stderr
    if outcome == RunOutcome.RUN_OUTCOME_TOO_MUCH_OUTPUT:
        assert response.output_truncated
        assert len(response.stdout) == 2000


async def test_files_go_in_and_come_out_by_name(both: Bench) -> None:
    """Those that are new or changed; what is too large is named."""
    code = """
text = open('in.txt').read()
open('out.txt', 'w').write(text.upper() + input())
open('same.txt', 'w').write('same')
open('large.bin', 'wb').write(b'x' * 2_500_000)
"""
    files = [RunFile(name="in.txt", content=b"abc"), RunFile(name="same.txt", content=b"same")]
    response = await both.run(code, runner=CPYTHON, files=files, stdin="line\n")
    assert [(file.name, file.content) for file in response.files] == [("out.txt", b"ABCline")]
    assert list(response.left_out) == ["large.bin"]


async def test_a_program_may_import_a_file_that_it_was_given(both: Bench) -> None:
    """It is its own."""
    files = [RunFile(name="mine.py", content=b"def f(): return 7")]
    response = await both.run("import mine\nmine.f()", runner=CPYTHON, files=files)
    assert response.value_json == "7"


async def test_a_program_may_make_folders(both: Bench) -> None:
    """What is in them stays there; the files beside them come out."""
    code = "import os\nos.makedirs('made/in')\nopen('made/in/a', 'w')\nopen('b', 'w').write('b')"
    response = await both.run(code, runner=CPYTHON)
    assert response.outcome == RunOutcome.RUN_OUTCOME_DONE, response
    assert [(file.name, file.content) for file in response.files] == [("b", b"b")]


async def test_every_run_is_on_record_before_it_begins_and_after(both: Bench) -> None:
    """Hash, limits, outcome; nothing of the code."""
    await both.run("secret = 1")
    await both.run("1 / 0")
    records = await both.records(4)
    outcomes = [record.entry.outcome for record in records]
    assert outcomes == [
        AuditOutcome.AUDIT_OUTCOME_ADMITTED,
        AuditOutcome.AUDIT_OUTCOME_DONE,
        AuditOutcome.AUDIT_OUTCOME_ADMITTED,
        AuditOutcome.AUDIT_OUTCOME_FAILED,
    ]
    assert {record.entry.action for record in records} == {"code.run"}
    details = dict(records[1].entry.details)
    assert details["sha256"] == hashlib.sha256(b"secret = 1").hexdigest()
    assert details["runner"] == "monty"
    assert details["outcome"] == "done"
    assert records[0].entry.resource == records[1].entry.resource
    assert "secret" not in str(records)


async def test_nothing_runs_while_the_trail_is_away(settings: Settings) -> None:
    """No record, no run."""
    async with hosting(settings, "code_execution") as wiring:
        before = await runs()
        error = await refused(Bench.of(wiring))
    assert error.reason == Reason.REASON_STORE_UNAVAILABLE
    assert error.details["store"] == "audit"
    assert await runs() == before


async def runs() -> float | None:
    """Programs of Monty that came to their end."""
    labels = {"runner": "monty", "outcome": "done"}
    return REGISTRY.get_sample_value("kari_code_runs_total", labels)


async def test_off_is_said_with_the_way_out(bench: Benches) -> None:
    """Neither by silence nor by another runner."""
    async with bench(code_runners="") as here:
        error = await refused(here)
        with here.somebody.acts(here.wiring):
            listed = (await here.stub.ListRunners(ListRunnersRequest())).runners
    assert error.reason == Reason.REASON_CODE_DISABLED
    assert "KARI_CODE_RUNNERS" in error.message
    assert not any(state.available for state in listed)


async def test_a_runner_that_is_off_is_not_replaced_by_one_that_is_on(bench: Benches) -> None:
    """The way out names it."""
    async with bench(code_warm_workers=0) as here:
        error = await refused(here, runner=CPYTHON)
    assert error.reason == Reason.REASON_CODE_DISABLED
    assert "add `cpython` to KARI_CODE_RUNNERS" in error.message


async def test_cpython_may_ask_for_a_role_of_its_own(strict: Bench) -> None:
    """Beyond the contract's; the refusal is on record."""
    error = await refused(strict, runner=CPYTHON)
    records = await strict.records(1)
    await strict.run("1", runner=MONTY)
    with strict.somebody.acts(strict.wiring):
        listed = (await strict.stub.ListRunners(ListRunnersRequest())).runners
    strict.somebody = Somebody(roles=ROLES | {"chat.power"})
    response = await strict.run("1", runner=CPYTHON)
    assert error.reason == Reason.REASON_CODE_DISABLED
    assert error.details["role"] == "chat.power"
    assert [state.available for state in listed] == [True, False]
    assert records[0].entry.outcome == AuditOutcome.AUDIT_OUTCOME_REFUSED
    assert response.value_json == "1"


async def test_without_the_role_nothing_runs(both: Bench) -> None:
    """The contract's role."""
    both.somebody = Somebody()
    error = await refused(both)
    records = await both.records(1)
    assert error.reason == Reason.REASON_ROLE_MISSING
    assert [record.entry.outcome for record in records] == [AuditOutcome.AUDIT_OUTCOME_REFUSED]


async def test_limits_are_lowered_to_those_of_the_settings(strict: Bench) -> None:
    """And the response says what they were."""
    asked = RunLimits(time=Duration(seconds=60), memory_bytes=10**12, output_bytes=10, processes=2)
    response = await strict.run("print('x' * 20)", limits=asked)
    listed = await strict.run("1")
    assert response.limits.time.ToTimedelta().total_seconds() == 2
    assert response.limits.memory_bytes == 256_000_000
    assert response.limits.output_bytes == 10
    assert response.limits.processes == 2
    assert response.stdout == "x" * 10
    assert listed.limits.processes == 8


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("files", {"files": [RunFile(name="a", content=b"")]}),
        ("stdin", {"stdin": "x"}),
        ("inputs_json", {"inputs_json": "[1]"}),
        ("inputs_json", {"inputs_json": '{"not a name": 1}'}),
        ("inputs_json", {"inputs_json": '{"a":' * 5000 + "1" + "}" * 5000}),
        ("files[0].name", {"files": [RunFile(name="../up", content=b"")]}),
        ("code", {"code": ""}),
    ],
)
async def test_a_request_that_is_wrong_names_the_field(
    both: Bench, field: str, more: dict[str, object]
) -> None:
    """Before anything runs."""
    error = await refused(both, **{"code": "1", **more})
    assert error.violations[0][0] == field


async def test_a_user_has_so_many_runs_at_once_and_others_have_theirs(both: Bench) -> None:
    """The third is told to wait; a slot is free again when its run ends or is cancelled."""
    endless, other = "while True: pass", Somebody(roles=ROLES)
    runs = [asyncio.create_task(both.run(endless, runner=CPYTHON)) for _ in range(2)]
    await until(lambda: active(2))
    error = await refused(both, runner=CPYTHON)
    first, both.somebody = both.somebody, other
    response = await both.run("1", runner=CPYTHON)
    for run in runs:
        run.cancel()
    await asyncio.gather(*runs, return_exceptions=True)
    await until(lambda: active(0))
    both.somebody = first
    again = await both.run("2", runner=CPYTHON)
    assert error.reason == Reason.REASON_CODE_BUSY
    assert error.details["limit"] == "2"
    assert response.value_json == "1"
    assert again.value_json == "2"


async def active(count: int) -> bool:
    """Whether so many programs run."""
    return REGISTRY.get_sample_value("kari_code_active_runs") == count


@pytest.mark.parametrize(
    ("kind", "attempts", "broken", "said"),
    [
        (CPYTHON, "BREAKOUT", Text("['list the root']"), 'could ["list the root"]'),
        (MONTY, "MONTY_BREAKOUT", "['list the root']", 'could ["list the root"]'),
    ],
)
async def test_a_jail_that_does_not_hold_is_not_used(
    bench: Benches,
    monkeypatch: pytest.MonkeyPatch,
    kind: Runner.ValueType,
    attempts: str,
    broken: object,
    said: str,
) -> None:
    """The other runner goes on; health and the list of runners say why."""
    monkeypatch.setattr(self_test, attempts, broken)
    other = MONTY if kind == CPYTHON else CPYTHON
    async with bench(**BOTH) as here:
        error = await refused(here, runner=kind)
        with here.somebody.acts(here.wiring):
            listed = (await here.stub.ListRunners(ListRunnersRequest())).runners
        held = await here.run("1", runner=other)
        address = here.wiring.address_of("code_execution")
        async with grpc.aio.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)

            async def told() -> bool:
                asked = health_pb2.HealthCheckRequest(service="store.code_execution")
                return (await health.Check(asked)).status == 2

            await until(told)
    assert error.reason == Reason.REASON_CODE_DISABLED
    assert said in error.message
    assert {state.runner: said in state.unavailable_because for state in listed} == {
        kind: True,
        other: False,
    }
    assert held.value_json == "1"


async def test_nobody_waits_for_ever_for_a_test_of_a_jail(
    bench: Benches, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a program is told to come again."""
    monkeypatch.setattr(self_test, "MONTY_BREAKOUT", "while True: pass")
    monkeypatch.setattr(waiting, "WAIT_SECONDS", 0.1)
    async with bench(code_runners="monty", code_warm_workers=0) as here:
        error = await refused(here)
    assert (error.reason, error.retryable) == (Reason.REASON_SERVER_UNAVAILABLE, True)
    assert "is being tested" in error.message


async def test_functions_of_the_host_are_those_that_the_policy_names(strict: Bench) -> None:
    """Others are unknown names."""
    known = await strict.run("mean([1, 2, 6])")
    unknown = await strict.run("median([1, 2, 6])")
    wrong = await strict.run("mean('abc')")
    assert known.value_json == "3.0"
    assert "NameError" in unknown.stderr
    assert wrong.outcome == RunOutcome.RUN_OUTCOME_RAISED
    assert "expected a list" in wrong.stderr


async def test_modules_of_monty_are_those_that_the_policy_names(strict: Bench) -> None:
    """An import of another one is refused before it runs."""
    allowed = await strict.run("import math\nmath.floor(1.5)")
    refused_ = await strict.run("import math, json as j\n1")
    assert allowed.value_json == "1"
    assert refused_.outcome == RunOutcome.RUN_OUTCOME_REFUSED
    assert "`json`" in refused_.explanation
