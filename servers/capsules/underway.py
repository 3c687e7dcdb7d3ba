"""A run under way, between the wish and its result: what is known of it, and what is told of it."""

from dataclasses import dataclass, field
from typing import Any

from kari.capsules.v1.capsules_pb2 import CapsuleResult, ExecuteRequest, ExecuteResponse
from kari.errors.v1.errors_pb2 import ErrorEnvelope, ErrorType, Reason
from servers.capsules.admitting import Admitted
from servers.capsules.outcome import Outcome, called_off
from servers.capsules.recording import Facts
from servers.capsules.run import Deny, Notes, Run, Tell
from servers.runtime.call import Principal, current
from servers.runtime.errors import KariError

MARGIN_SECONDS = 1.0
"""Of the caller's time, or a quarter of it if that is less: the process has to end, and the result
to reach the caller."""


@dataclass
class Underway:
    """A run under way, and what it leaves for its end."""

    admitted: Admitted
    facts: Facts
    state: Any = None
    """The checkpoint from which it goes on."""
    notes: Notes = field(default_factory=Notes)
    outcome: Outcome = field(default_factory=called_off)


def seconds_of(admitted: Admitted) -> float:
    """What the manifest gives, and no more than the caller has."""
    limit = float(admitted.version.manifest.security_policy.max_execution_time)
    remaining = current().remaining()
    if remaining is None:
        return limit
    return min(limit, remaining - min(MARGIN_SECONDS, remaining / 4))


def run_of(
    request: ExecuteRequest, who: Principal, underway: Underway, tell: Tell, deny: Deny
) -> Run:
    """The run, as its skill has it."""
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
        deny=deny,
        state=underway.state,
        conversation=admitted.conversation,
        turn_id=request.turn_id,
        depth=request.depth,
        notes=underway.notes,
    )


def facts_of(request: ExecuteRequest, admitted: Admitted) -> Facts:
    """What the trail is told of it."""
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


def result_of(underway: Underway) -> CapsuleResult:
    """What came of it. An error names the run, and whether it can go on."""
    outcome, notes = underway.outcome, underway.notes
    run_id = underway.facts.run_id
    result = CapsuleResult(
        run_id=run_id,
        success=outcome.error is None,
        result_json=outcome.result_json,
        metrics=notes.metrics,
        warnings=[_warning(message) for message in notes.warnings],
    )
    if outcome.error is not None:
        result.resumable = notes.checkpoints > 0 or underway.admitted.resumed
        told = envelope(outcome.error)
        told.details.update(run_id=run_id, resumable=str(result.resumable).lower())
        result.error.CopyFrom(told)
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


def envelope(error: KariError) -> ErrorEnvelope:
    """An error as clients see it."""
    return error.envelope(current().correlation_id)


def finished(result: CapsuleResult) -> ExecuteResponse:
    """The last step."""
    return ExecuteResponse(finished=result)
