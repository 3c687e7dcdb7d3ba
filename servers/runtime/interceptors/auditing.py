"""What the contracts want on record: refusals, or every call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from kari.conversation_models.v1.audit_pb2 import AuditEntry, AuditOutcome
from kari.errors.v1.errors_pb2 import Reason
from kari.policy.v1.policy_pb2 import AuditLevel
from servers.runtime.audit_trail import entry
from servers.runtime.call import current
from servers.runtime.errors import Forbidden, KariError, Unauthenticated
from servers.runtime.interceptors.chain import Around, Enter, Incoming, Leave
from servers.runtime.names import short
from servers.runtime.policy import Policies

log = structlog.get_logger("kari.audit")

Report = Callable[[AuditEntry], None]

REFUSALS = (Unauthenticated, Forbidden)


@dataclass(frozen=True)
class Ended:
    """What came of a call."""

    outcome: AuditOutcome.ValueType
    reason: str = ""


class Auditing(Around):
    """Records calls as their contracts say: who, what, outcome; never content. In the log always,
    and in the trail where the server has one."""

    def __init__(self, policies: Policies, trails: Mapping[str, Report]) -> None:
        """`trails` has, by full service name, where its records go."""
        self._policies = policies
        self._trails = trails

    def of(self, method: str) -> Enter | None:
        """Looks at how each call ended."""
        level = self._policies.of(method).audit
        if level == AuditLevel.AUDIT_LEVEL_UNSPECIFIED:
            return None
        trail = self._trails.get(method[1:].partition("/")[0])
        all_calls = level == AuditLevel.AUDIT_LEVEL_CALLS

        def leave(error: BaseException | None) -> BaseException | None:
            ended = _ended(error)
            if all_calls or ended.outcome == AuditOutcome.AUDIT_OUTCOME_REFUSED:
                _record(method, ended, trail)
            return error

        def enter(_call: Incoming) -> Leave:
            return leave

        return enter


def _ended(error: BaseException | None) -> Ended:
    if error is None:
        return Ended(AuditOutcome.AUDIT_OUTCOME_DONE)
    reason = Reason.Name(error.reason) if isinstance(error, KariError) else type(error).__name__
    refused = isinstance(error, REFUSALS)
    return Ended(
        AuditOutcome.AUDIT_OUTCOME_REFUSED if refused else AuditOutcome.AUDIT_OUTCOME_FAILED, reason
    )


def _record(method: str, ended: Ended, trail: Report | None) -> None:
    call = current()
    log.info(
        "audit",
        method=method,
        outcome=short(AuditOutcome, ended.outcome),
        reason=ended.reason,
        user=call.principal.user_id if call.principal else "",
        caller=call.caller,
    )
    if trail is not None:
        details = {"caller": call.caller} if call.caller else None
        trail(entry(method[1:], ended.outcome, reason=ended.reason, details=details))
