"""Each run of a capsule in the audit trail and in the metrics. Never what was said: of the input a
digest, of the result nothing."""

import hashlib
import re
from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from kari.conversation_models.v1.audit_pb2 import AuditEntry, AuditOutcome
from kari.errors.v1.errors_pb2 import Reason
from servers.capsules.run import Notes
from servers.runtime.audit_trail import AuditTrail, entry
from servers.runtime.call import current
from servers.runtime.errors import KariError
from servers.runtime.labelled import labelled

ACTION = "capsule.run"
WISH = "capsule.wish"
"""What a run asked for and may not have; what it is given has a record of its own, by who gives
it."""
ADDRESS = "address"
NOT_ALLOWED = Reason.REASON_TOOL_NOT_ALLOWED
NAME = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,200}")
"""What is put on record of a name that a capsule made up."""
UNKNOWN = "unknown"
"""Label of what is no capsule: anybody can make names up."""

EXECUTIONS = Counter("capsule_executions_total", "Runs of capsules.", ("capsule_id", "status"))
DENIALS = Counter(
    "capsule_denials_total",
    "What runs asked for and may not have, once a run and thing.",
    ("capsule_id", "kind"),
)
SECONDS = Histogram(
    "capsule_execution_seconds",
    "Time of a run.",
    ("capsule_id",),
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)


@dataclass(frozen=True)
class Facts:
    """What the trail is told of a run."""

    capsule_id: str
    version: str
    input_json: str
    conversation_id: str
    call_id: str
    run_id: str = ""
    resumed: bool = False
    signed_by: str = ""
    in_full: bool = True
    """What the manifest calls `auditable`: False leaves out what the run was about."""


class Recording:
    """The records of runs."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail

    async def admitted(self, facts: Facts) -> None:
        """Returns when the trail has it. Unavailable if it does not answer: then nothing runs."""
        await self._trail.keep(_entry(facts, AuditOutcome.AUDIT_OUTCOME_ADMITTED))

    def refused(self, facts: Facts, reason: Reason.ValueType, *, known: bool) -> None:
        """It will not run."""
        labelled(EXECUTIONS, facts.capsule_id if known else UNKNOWN, "refused").inc()
        self._trail.report(_entry(facts, AuditOutcome.AUDIT_OUTCOME_REFUSED, reason))

    def denied(self, facts: Facts, kind: str, name: str) -> None:
        """A run asked for something that it may not have: a tool or a capability that its manifest
        does not declare, or an address. What the capsule makes of that is its own affair."""
        labelled(DENIALS, facts.capsule_id, kind).inc()
        reason = Reason.REASON_ADDRESS_NOT_ALLOWED if kind == ADDRESS else NOT_ALLOWED
        shown = name if NAME.fullmatch(name) else f"{len(name)} characters that are no name"
        more = {kind: shown}
        refused = AuditOutcome.AUDIT_OUTCOME_REFUSED
        self._trail.report(_entry(facts, refused, reason, more, action=WISH))

    def ended(
        self, facts: Facts, seconds: float, status: str, error: KariError | None, notes: Notes
    ) -> None:
        """It ran."""
        labelled(EXECUTIONS, facts.capsule_id, status).inc()
        labelled(SECONDS, facts.capsule_id).observe(seconds)
        done = status == "done"
        outcome = AuditOutcome.AUDIT_OUTCOME_DONE if done else AuditOutcome.AUDIT_OUTCOME_FAILED
        reason = Reason.REASON_UNSPECIFIED if error is None else error.reason
        more = {
            "seconds": f"{seconds:.3f}",
            "status": status,
            "tools": " ".join(notes.tools)[:1000],
            "models": " ".join(notes.models)[:1000],
            "checkpoints": str(notes.checkpoints or ""),
            "denied": str(notes.denials or ""),
        }
        self._trail.report(_entry(facts, outcome, reason, more))


def _entry(
    facts: Facts,
    outcome: AuditOutcome.ValueType,
    reason: Reason.ValueType = Reason.REASON_UNSPECIFIED,
    more: dict[str, str] | None = None,
    *,
    action: str = ACTION,
) -> AuditEntry:
    details = {
        "run": facts.run_id,
        "version": facts.version,
        "signed_by": facts.signed_by,
        "caller": current().caller,
        "resumed": "yes" if facts.resumed else "",
        **(_about(facts) if facts.in_full else {}),
        **(more or {}),
    }
    return entry(
        action,
        outcome,
        resource=facts.capsule_id[:200],
        reason=Reason.Name(reason) if reason else "",
        details={name: value for name, value in details.items() if value},
    )


def _about(facts: Facts) -> dict[str, str]:
    given = facts.input_json.encode("utf-8", "surrogatepass")
    return {
        "input_sha256": hashlib.sha256(given).hexdigest(),
        "conversation": facts.conversation_id,
        "call": facts.call_id,
    }
