"""A run of a capsule from the wish to its result: admitted, recorded, run within its bounds,
recorded, counted."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

import grpc
import structlog

from kari.capsules.v1.capsules_pb2 import (
    CapsuleResult,
    ExecuteRequest,
    ExecuteResponse,
    RunStarted,
)
from kari.conversation_models.v1.tool_pb2 import ToolProgress
from kari.errors.v1.errors_pb2 import ErrorEnvelope, ErrorType, Reason
from servers.capsules.admitting import Admitted, Admitting
from servers.capsules.failing import error_of, failed
from servers.capsules.granted import GrantedSkill
from servers.capsules.outcome import Outcome, called_off, checked
from servers.capsules.peers import Peers
from servers.capsules.recording import Facts, Recording
from servers.capsules.resting import Resting
from servers.capsules.run import Notes, Run, Tell
from servers.capsules.skill import SkillError
from servers.capsules.slots import Slots
from servers.capsules.store import RunKey, Runs
from servers.capsules.version import HandlerFailed
from servers.runtime.call import Call, Principal, acting, current
from servers.runtime.errors import Internal, KariError, TimedOut, from_rpc
from servers.runtime.mesh_key import MeshKey

NAME = "capsules"
MOST_WAITING = 100
"""Pieces of progress that wait for their reader; the capsule waits for it too."""
MARGIN_SECONDS = 1.0
"""Of the caller's time: the result still has to reach it, before the registry of tools, which has a
margin of its own, ends the call by itself and knows of no run."""

log = structlog.get_logger("kari.capsules")


@dataclass
class Underway:
    """A run under way, and what it leaves for its end."""

    admitted: Admitted
    facts: Facts
    notes: Notes = field(default_factory=Notes)
    outcome: Outcome = field(default_factory=called_off)


class Running:
    """Runs capsules."""

    def __init__(
        self,
        admitting: Admitting,
        peers: Peers,
        runs: Runs,
        recording: Recording,
        resting: Resting,
        mesh_key: MeshKey,
        slots: Slots,
    ) -> None:
        self._admitting = admitting
        self._peers = peers
        self._runs = runs
        self._recording = recording
        self._resting = resting
        self._mesh_key = mesh_key
        self._slots = slots

    async def run(
        self, request: ExecuteRequest, who: Principal
    ) -> AsyncGenerator[ExecuteResponse, None]:
        """Steps of a run; the last is its result, whatever the capsule does. Closing the generator
        ends the capsule."""
        facts = Facts(
            capsule_id=request.capsule_id,
            version="",
            input_json=request.input_json,
            conversation_id=request.conversation_id,
            call_id=request.call_id,
        )
        full = self._slots.refusal(who)
        if full is not None:
            yield self._refused(facts, full)
            return
        with self._slots.taken(who):
            try:
                admitted = await self._admitted(request, who)
            except KariError as refusal:
                yield self._refused(facts, refusal)
                return
            underway = Underway(admitted, _facts(request, admitted))
            async with aclosing(self._recorded(request, who, underway)) as steps:
                async for step in steps:
                    yield step

    def _refused(self, facts: Facts, refusal: KariError) -> ExecuteResponse:
        known = refusal.reason not in (
            Reason.REASON_CAPSULE_NOT_FOUND,
            Reason.REASON_TOOL_RATE,  # it was not looked for
        )
        self._recording.refused(facts, refusal.reason, known=known)
        return _finished(CapsuleResult(error=_envelope(refusal)))

    async def _admitted(self, request: ExecuteRequest, who: Principal) -> Admitted:
        try:
            admitted = await self._admitting.admit(request, who)
        except grpc.aio.AioRpcError as failure:
            raise from_rpc(failure) from failure
        self._resting.admit(request.capsule_id)
        return admitted

    async def _recorded(
        self, request: ExecuteRequest, who: Principal, underway: Underway
    ) -> AsyncGenerator[ExecuteResponse, None]:
        facts = underway.facts
        try:
            await self._recording.admitted(facts)
        except BaseException as unrecorded:
            self._resting.learned_nothing(facts.capsule_id)
            if not isinstance(unrecorded, KariError):
                raise
            yield _finished(CapsuleResult(run_id=facts.run_id, error=_envelope(unrecorded)))
            return
        began = time.perf_counter()
        try:
            yield ExecuteResponse(
                started=RunStarted(run_id=facts.run_id, resumed=underway.admitted.resumed)
            )
            async with aclosing(self._steps(request, who, underway)) as steps:
                async for step in steps:
                    yield step
            yield _finished(_result(underway))
        finally:
            outcome = underway.outcome
            self._resting.tell(facts.capsule_id, outcome.error is None, own=outcome.own)
            seconds = time.perf_counter() - began
            self._recording.ended(facts, seconds, outcome.status, outcome.error, underway.notes)

    async def _steps(
        self, request: ExecuteRequest, who: Principal, underway: Underway
    ) -> AsyncGenerator[ExecuteResponse, None]:
        """Progress as it is told, until the run has ended."""
        queue: asyncio.Queue[ToolProgress | None] = asyncio.Queue(MOST_WAITING)

        async def tell(progress: ToolProgress) -> None:
            progress.call_id = request.call_id
            await queue.put(progress)

        run = _run(request, who, underway, tell)
        task = asyncio.create_task(self._ended(run, underway, queue))
        try:
            while (progress := await queue.get()) is not None:
                yield ExecuteResponse(progress=progress)
            await task
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _ended(
        self, run: Run, underway: Underway, queue: "asyncio.Queue[ToolProgress | None]"
    ) -> None:
        seconds = _seconds(underway.admitted)
        with acting(self._call(run.who, seconds)):
            underway.outcome = await self._outcome(run, underway.admitted, seconds)
            if underway.outcome.error is None and run.notes.checkpoints:
                await self._forget(run)
        await queue.put(None)

    async def _outcome(self, run: Run, admitted: Admitted, seconds: float) -> Outcome:
        skill = GrantedSkill(run, self._peers, self._runs)
        try:
            async with asyncio.timeout(seconds):
                value = await admitted.handler.run(skill, seconds)
            return checked(value, admitted.version.result)
        except TimeoutError:
            limit = run.manifest.security_policy.max_execution_time
            error = TimedOut(
                Reason.REASON_TOOL_TIMEOUT,
                f"the capsule took longer than {seconds:.3g} s",
                limit_seconds=limit,
                retryable=False,
            )
            return Outcome(error=error, status="timeout", own=seconds >= limit)
        except SkillError as raised:
            return Outcome(error=error_of(raised), status="failed")
        except HandlerFailed as failure:
            return Outcome(
                error=failed(f"the capsule failed: {failure}"), status="failed", own=True
            )
        except Exception as defect:  # of ours: the run ends like any other
            log.error("a run failed", capsule=run.manifest.id, exc_info=defect)
            return Outcome(error=Internal(), status="failed")

    async def _forget(self, run: Run) -> None:
        """What a run that is done left for going on. If that fails it goes with age."""
        try:
            await self._runs.end(RunKey(run.id, run.manifest.id, run.who, run.holder))
        except KariError as error:
            log.warning("a run that is done could not be closed", error=error.message)

    def _call(self, who: Principal, seconds: float) -> Call:
        """The call under which a run acts: its user's token may end before it does."""
        now = current()
        delegated = self._mesh_key.delegate(
            NAME, user_id=who.user_id, tenant_id=who.tenant_id, roles=who.roles
        )
        deadline = asyncio.get_running_loop().time() + seconds
        return Call(now.correlation_id, now.method, delegated, now.caller, deadline, now.turn_id)


def _seconds(admitted: Admitted) -> float:
    """What the manifest gives, and no more than the caller has."""
    limit = float(admitted.version.manifest.security_policy.max_execution_time)
    remaining = current().remaining()
    if remaining is None:
        return limit
    return min(limit, max(remaining - MARGIN_SECONDS, remaining / 2))


def _run(request: ExecuteRequest, who: Principal, underway: Underway, tell: Tell) -> Run:
    admitted = underway.admitted
    return Run(
        id=admitted.run_id,
        manifest=admitted.version.manifest,
        prompts=admitted.version.prompts,
        who=who,
        input=admitted.input,
        input_json=admitted.input_json,
        holder=admitted.holder,
        tell=tell,
        state=admitted.state,
        conversation=admitted.conversation,
        turn_id=request.turn_id,
        depth=request.depth,
        notes=underway.notes,
    )


def _facts(request: ExecuteRequest, admitted: Admitted) -> Facts:
    return Facts(
        capsule_id=request.capsule_id,
        version=admitted.version.manifest.version,
        input_json=admitted.input_json,
        conversation_id=admitted.conversation.id if admitted.conversation else "",
        call_id=request.call_id,
        run_id=admitted.run_id,
        resumed=admitted.resumed,
        signed_by=admitted.version.signed_by,
        in_full=admitted.version.manifest.auditable,
    )


def _result(underway: Underway) -> CapsuleResult:
    outcome, notes = underway.outcome, underway.notes
    checkpointed = notes.checkpoints > 0 or underway.admitted.resumed
    result = CapsuleResult(
        run_id=underway.facts.run_id,
        success=outcome.error is None,
        result_json=outcome.result_json,
        metrics=notes.metrics,
        warnings=[_warning(message) for message in notes.warnings],
        error=None if outcome.error is None else _envelope(outcome.error),
        resumable=outcome.error is not None and checkpointed,
    )
    manifest = underway.admitted.version.manifest
    result.metadata.update(
        {
            "capsule_version": manifest.version,
            "models": notes.models,
            "tools": notes.tools,
            "checkpoints": notes.checkpoints,
        }
    )
    return result


def _warning(message: str) -> ErrorEnvelope:
    return ErrorEnvelope(
        type=ErrorType.ERROR_TYPE_UNAVAILABLE,
        message=message,
        correlation_id=current().correlation_id,
        reason=Reason.REASON_CAPSULE_FAILED,
    )


def _envelope(error: KariError) -> ErrorEnvelope:
    return error.envelope(current().correlation_id)


def _finished(result: CapsuleResult) -> ExecuteResponse:
    return ExecuteResponse(finished=result)
