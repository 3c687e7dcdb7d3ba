"""A run of a capsule from the wish to its result: admitted, recorded, run within its bounds,
recorded, counted."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc
import structlog

from kari.capsules.v1.capsules_pb2 import (
    CapsuleResult,
    ExecuteRequest,
    ExecuteResponse,
    RunStarted,
)
from kari.conversation_models.v1.tool_pb2 import ToolProgress
from kari.errors.v1.errors_pb2 import Reason
from servers.capsules.admitting import Admitted, Admitting
from servers.capsules.claiming import Claim
from servers.capsules.failing import error_of, failed
from servers.capsules.granted import GrantedSkill
from servers.capsules.outcome import Outcome, checked
from servers.capsules.peers import Peers
from servers.capsules.recording import Facts, Recording
from servers.capsules.resting import Resting
from servers.capsules.run import Run
from servers.capsules.skill import SkillError
from servers.capsules.slots import Slots
from servers.capsules.store import RunKey, Runs, taken_over
from servers.capsules.underway import (
    Underway,
    envelope,
    facts_of,
    finished,
    result_of,
    run_of,
    seconds_of,
)
from servers.capsules.version import HandlerFailed
from servers.runtime.call import Call, Principal, acting, current
from servers.runtime.errors import Internal, KariError, TimedOut, from_rpc
from servers.runtime.mesh_key import MeshKey
from servers.runtime.tracebacks import without_text

NAME = "capsules"
GRACE_SECONDS = 0.2
MOST_WAITING = 100
"""Pieces of progress that wait for their reader; the capsule waits for it too."""

STILL_RESUMABLE = (Reason.REASON_RUN_UNDER_WAY, Reason.REASON_CAPSULE_RESTING)
"""Refusals of a run that is there, and can go on another time."""

log = structlog.get_logger("kari.capsules")


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
            run_id=request.resume_run_id,
            resumed=bool(request.resume_run_id),
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
            underway = Underway(admitted, facts_of(request, admitted))
            async with aclosing(self._recorded(request, who, underway)) as steps:
                async for step in steps:
                    yield step

    def _refused(self, facts: Facts, refusal: KariError) -> ExecuteResponse:
        known = refusal.reason not in (
            Reason.REASON_CAPSULE_NOT_FOUND,
            Reason.REASON_TOOL_RATE,  # it was not looked for
        )
        self._recording.refused(facts, refusal.reason, known=known)
        return finished(
            CapsuleResult(
                run_id=facts.run_id,
                error=envelope(refusal),
                resumable=facts.resumed and refusal.reason in STILL_RESUMABLE,
            )
        )

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
            await self._take(who, underway)
        except BaseException as refusal:
            self._resting.learned_nothing(facts.capsule_id)
            if not isinstance(refusal, KariError):
                # It may be on record as admitted by now, and has an end there as well.
                outcome = underway.outcome
                self._recording.ended(facts, 0.0, outcome.status, outcome.error, underway.notes)
                raise
            yield self._refused(facts, refusal)
            return
        began = time.perf_counter()
        try:
            yield ExecuteResponse(
                started=RunStarted(run_id=facts.run_id, resumed=underway.admitted.resumed)
            )
            async with aclosing(self._steps(request, who, underway)) as steps:
                async for step in steps:
                    yield step
            yield finished(result_of(underway))
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

        def deny(kind: str, name: str) -> None:
            if underway.notes.deny(kind, name):
                self._recording.denied(underway.facts, kind, name)

        run = run_of(request, who, underway, tell, deny)
        task = asyncio.create_task(self._ended(run, underway, queue))
        try:
            while (progress := await queue.get()) is not None:
                yield ExecuteResponse(progress=progress)
            await task
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _take(self, who: Principal, underway: Underway) -> None:
        """Takes the run that is to go on, if nobody else did meanwhile."""
        admitted = underway.admitted
        if admitted.resumed:
            key = RunKey(admitted.run_id, underway.facts.capsule_id, who, admitted.holder)
            underway.state = await self._runs.take(key)

    async def _ended(
        self, run: Run, underway: Underway, queue: "asyncio.Queue[ToolProgress | None]"
    ) -> None:
        admitted, seconds = underway.admitted, seconds_of(underway.admitted)
        claim = Claim(self._runs, run, resumed=admitted.resumed)
        with acting(self._call(run.who, seconds)):
            async with claim.held():
                underway.outcome = await self._outcome(run, admitted, seconds, claim)
                if underway.outcome.error is None:
                    await claim.end()
        await queue.put(None)

    async def _outcome(self, run: Run, admitted: Admitted, seconds: float, claim: Claim) -> Outcome:
        skill = GrantedSkill(run, self._peers, self._runs)
        try:
            async with claim.within(seconds):
                value = await admitted.handler.run(skill, seconds, run.deny)
            return checked(value, admitted.version.result)
        except TimeoutError:
            if claim.lost:
                return Outcome(error=taken_over(run.id), status="failed")
            return _too_long(seconds, run.manifest.security_policy.max_execution_time)
        except SkillError as raised:
            return Outcome(error=error_of(raised), status="failed")
        except HandlerFailed as failure:
            return Outcome(
                error=failed(f"the capsule failed: {failure}"), status="failed", own=True
            )
        except KariError as unavailable:
            return Outcome(error=unavailable, status="failed")
        except Exception as defect:  # noqa: BLE001  # ours: the run ends like any other
            log.error("a run failed", capsule=run.manifest.id, traceback=without_text(defect))
            return Outcome(error=Internal(), status="failed")

    def _call(self, who: Principal, seconds: float) -> Call:
        """The call under which a run acts: its user's token may end before it does. Peers have a
        little longer than the run, or it would end by what they say of their deadline."""
        now = current()
        delegated = self._mesh_key.delegate(
            NAME, user_id=who.user_id, tenant_id=who.tenant_id, roles=who.roles
        )
        deadline = asyncio.get_running_loop().time() + seconds + GRACE_SECONDS
        return Call(now.correlation_id, now.method, delegated, now.caller, deadline, now.turn_id)


def _too_long(seconds: float, limit: float) -> Outcome:
    """It had its own time, or all that its caller had left: that is no failure of its own."""
    error = TimedOut(
        Reason.REASON_TOOL_TIMEOUT,
        f"the capsule took longer than {seconds:.3g} s",
        limit_seconds=limit,
        retryable=False,
    )
    return Outcome(error=error, status="timeout", own=seconds >= limit)
