"""Each call of a tool in the audit trail: before it runs, and what came of it. Never what was
said: of the arguments a digest, of the result nothing."""

import hashlib

from kari.conversation_models.v1.audit_pb2 import AuditEntry, AuditOutcome
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.audit_trail import AuditTrail, entry
from servers.runtime.call import current
from servers.tool_integration.checking import Asked

ACTION = "tool.call"


class Recording:
    """The records of calls."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail

    async def admitted(self, asked: Asked) -> None:
        """Returns when the trail has it. Unavailable if it does not answer: then nothing runs."""
        await self._trail.keep(_entry(asked, AuditOutcome.AUDIT_OUTCOME_ADMITTED))

    def refused(self, asked: Asked, reason: Reason.ValueType) -> None:
        """It will not run."""
        refused = AuditOutcome.AUDIT_OUTCOME_REFUSED
        self._trail.report(_entry(asked, refused, Reason.Name(reason)))

    def ended(self, asked: Asked, seconds: float, reason: str) -> None:
        """It ran; `reason` names why it failed, empty if it did not."""
        failed, done = AuditOutcome.AUDIT_OUTCOME_FAILED, AuditOutcome.AUDIT_OUTCOME_DONE
        self._trail.report(_entry(asked, failed if reason else done, reason, seconds))


def _entry(
    asked: Asked, outcome: AuditOutcome.ValueType, reason: str = "", seconds: float | None = None
) -> AuditEntry:
    invocation = asked.invocation
    details = {
        "call": invocation.call_id,
        "arguments_sha256": _digest(asked.arguments_json),
        "depth": str(invocation.depth),
        "caller": current().caller,
        "turn": invocation.turn_id,
        "conversation": invocation.conversation_id,
        "approved": "yes" if asked.approved else "",
        "seconds": "" if seconds is None else f"{seconds:.4f}",
    }
    given = {name: value for name, value in details.items() if value}
    return entry(ACTION, outcome, resource=invocation.tool_id, reason=reason, details=given)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
