"""Runs programs for users: whether they may, on record before it begins, and counted."""

import hashlib
import time
from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

from kari.code_execution.v1.code_execution_pb2 import (
    Runner,
    RunnerState,
    RunOutcome,
    RunRequest,
    RunResponse,
)
from kari.conversation_models.v1.audit_pb2 import AuditOutcome
from kari.errors.v1.errors_pb2 import Reason
from servers.code_execution.policy import Policy, refused_module
from servers.code_execution.program import Program, Result, program_of
from servers.code_execution.runner import JailedRunner
from servers.code_execution.runners import Runners
from servers.code_execution.slots import Slots
from servers.runtime.audit_trail import AuditTrail, entry
from servers.runtime.call import principal
from servers.runtime.durations import duration
from servers.runtime.errors import Conflict, Forbidden
from servers.runtime.ids import new_id
from servers.runtime.jail.errors import told_as_unavailable
from servers.runtime.labelled import labelled
from servers.runtime.names import short

RUNS = Counter("kari_code_runs_total", "Programs run, by how they ended.", ("runner", "outcome"))
SECONDS = Histogram(
    "kari_code_run_seconds",
    "How long programs took, with their worker.",
    ("runner",),
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
ACTIVE = Gauge("kari_code_active_runs", "Programs that run now.")
ACTION = "code.run"
OFF = (
    "running code is off here; KARI_CODE_RUNNERS turns it on (`monty`, `cpython` or both; "
    "docs/code.md)"
)


class Running:
    """Runs programs."""

    def __init__(
        self,
        policy: Policy,
        runners: Runners,
        slots: Slots,
        trail: AuditTrail,
    ) -> None:
        self._policy = policy
        self._runners = runners
        self._slots = slots
        self._trail = trail

    async def run(self, request: RunRequest) -> RunResponse:
        """Runs a program; see the contract. Nothing runs that is not on record."""
        kind = self._chosen(request.runner)
        limits = self._policy.limits.lowered(request.limits)
        program = program_of(request, kind, limits)
        runner = await self._runners.get(kind)
        who = principal()
        with self._slots.taken(who.tenant_id, who.user_id):
            ACTIVE.set(self._slots.active)
            try:
                began = time.monotonic()
                result = await self._on_record(runner, program)
                took = time.monotonic() - began
            finally:
                ACTIVE.set(self._slots.active - 1)
        return _response(result, kind, program, took)

    async def states(self) -> list[RunnerState]:
        """The runners, for the caller."""
        kinds = [kind for kind in Runner.values() if kind != Runner.RUNNER_UNSPECIFIED]
        kinds.sort(key=self._preference)
        return [await self._state(kind) for kind in kinds]

    def _preference(self, kind: Runner.ValueType) -> int:
        on = self._policy.runners
        return on.index(kind) if kind in on else len(on) + kind

    async def _state(self, kind: Runner.ValueType) -> RunnerState:
        if kind not in self._policy.runners:
            why = _off(kind) if self._policy.runners else OFF
        elif principal().missing(self._policy.role_for(kind)):
            why = _role_missing(self._policy.cpython_role)
        else:
            why = await self._runners.wrong_with(kind)
        return RunnerState(
            runner=kind,
            available=not why,
            unavailable_because=why,
            limits=self._policy.limits.message(),
        )

    def _chosen(self, asked: Runner.ValueType) -> Runner.ValueType:
        """The runner that is asked for, or the first of the settings: never another one."""
        if not self._policy.runners:
            raise Conflict(Reason.REASON_CODE_DISABLED, OFF)
        kind = asked or self._policy.runners[0]
        if kind not in self._policy.runners:
            raise Conflict(Reason.REASON_CODE_DISABLED, _off(kind))
        if principal().missing(self._policy.role_for(kind)):
            raise Forbidden(
                Reason.REASON_CODE_DISABLED,
                _role_missing(self._policy.cpython_role),
                role=self._policy.cpython_role,
            )
        return kind

    async def _on_record(self, runner: JailedRunner, program: Program) -> Result:
        run_id, details = new_id("run"), _details(runner.kind, program)
        began, outcome = time.monotonic(), "cancelled"
        try:
            await self._admit(run_id, details)
            result = await self._ran(runner, program)
            outcome = short(RunOutcome, result.outcome)
            return result
        except Exception:
            outcome = "failed"
            raise
        finally:
            took = time.monotonic() - began
            self._report_end(run_id, details, outcome, took)
            name = short(Runner, runner.kind)
            labelled(RUNS, name, outcome).inc()
            labelled(SECONDS, name).observe(took)

    async def _admit(self, run_id: str, details: Mapping[str, str]) -> None:
        admitted = AuditOutcome.AUDIT_OUTCOME_ADMITTED
        await self._trail.keep(entry(ACTION, admitted, resource=run_id, details=details))

    def _report_end(
        self, run_id: str, details: Mapping[str, str], outcome: str, took: float
    ) -> None:
        done = outcome == short(RunOutcome, RunOutcome.RUN_OUTCOME_DONE)
        which = AuditOutcome.AUDIT_OUTCOME_DONE if done else AuditOutcome.AUDIT_OUTCOME_FAILED
        more = {**details, "outcome": outcome, "milliseconds": f"{took * 1000:.0f}"}
        self._trail.report(entry(ACTION, which, resource=run_id, reason=outcome, details=more))

    async def _ran(self, runner: JailedRunner, program: Program) -> Result:
        module = refused_module(program.code, self._modules(runner.kind))
        if module is not None:
            explanation = f"module `{module}` is not among the allowed ones"
            return Result(RunOutcome.RUN_OUTCOME_REFUSED, explanation, stderr=explanation)
        with told_as_unavailable():
            return await runner.run(program)

    def _modules(self, kind: Runner.ValueType) -> frozenset[str] | None:
        """Modules that are looked for in the text; CPython's are looked for as it imports."""
        return self._policy.monty_modules if kind == Runner.RUNNER_MONTY else None


def _details(kind: Runner.ValueType, program: Program) -> dict[str, str]:
    limits = program.limits
    return {
        "sha256": hashlib.sha256(program.code.encode()).hexdigest(),
        "runner": short(Runner, kind),
        "seconds": f"{limits.seconds:g}",
        "memory_bytes": str(limits.memory_bytes),
        "output_bytes": str(limits.output_bytes),
        "processes": str(limits.processes),
        "files": str(len(program.files)),
    }


def _response(result: Result, kind: Runner.ValueType, program: Program, took: float) -> RunResponse:
    return RunResponse(
        outcome=result.outcome,
        stdout=result.stdout,
        stderr=result.stderr,
        value_json=result.value_json,
        files=result.files,
        left_out=result.left_out,
        output_truncated=result.truncated,
        explanation=result.explanation,
        runner=kind,
        limits=program.limits.message(),
        duration=duration(took),
    )


def _off(kind: Runner.ValueType) -> str:
    name = short(Runner, kind)
    return f"the runner {name} is off here; add `{name}` to KARI_CODE_RUNNERS (docs/code.md)"


def _role_missing(role: str) -> str:
    return f"CPython is for users with the role {role} (KARI_CODE_CPYTHON_ROLE)"
