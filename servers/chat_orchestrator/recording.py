"""Calls that a turn does not pass on to tool_integration, or whose end it does not hear of, in the
audit trail beside the others: the same action, and never what was said."""

import hashlib

from prometheus_client import Counter

from kari.conversation_models.v1.audit_pb2 import AuditOutcome
from kari.conversation_models.v1.tool_pb2 import ToolCall, ToolStep
from kari.conversation_models.v1.turn_pb2 import Turn
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.audit_trail import AuditTrail, entry
from servers.runtime.labelled import labelled
from servers.runtime.names import short

ACTION = "tool.call"
UNMADE = Counter(
    "kari_chat_tool_calls_unmade_total",
    "Calls of tools that turns did not pass on, or whose end they did not hear of, by reason.",
    ("error",),
)


def report_refused(trail: AuditTrail, turn: Turn, step: ToolStep) -> None:
    """A step ended without its call: beyond a bound of the turn, or not allowed by its user."""
    report_unmade(trail, turn, step.call, step.result.error.reason)


def report_unmade(
    trail: AuditTrail, turn: Turn, call: ToolCall, reason: Reason.ValueType, *, ran: bool = False
) -> None:
    """A call was not made, or failed if it may have run."""
    labelled(UNMADE, short(Reason, reason)).inc()
    refused, failed = AuditOutcome.AUDIT_OUTCOME_REFUSED, AuditOutcome.AUDIT_OUTCOME_FAILED
    digest = hashlib.sha256(call.arguments_json.encode("utf-8", "surrogatepass")).hexdigest()
    trail.report(
        entry(
            ACTION,
            failed if ran else refused,
            resource=call.tool_id,
            reason=Reason.Name(reason),
            details={
                "call": call.id,
                "arguments_sha256": digest,
                "turn": turn.id,
                "conversation": turn.conversation_id,
            },
        )
    )
