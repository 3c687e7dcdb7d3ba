"""What the audit trail is told of hooks, and what can be kept of what they found. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError

from kari.conversation_models.v1.audit_pb2 import AuditEntry, AuditOutcome
from kari.conversation_models.v1.file_pb2 import File, HookReport, HookVerdict
from kari.file_attachment.v1.file_attachment_pb2 import RecordHooksRequest
from servers.hook_enabled_file import plan
from servers.hook_enabled_file.hooks import FAILED, SKIPPED, Hook, Outcome, report
from servers.hook_enabled_file.reading.segments import clean
from servers.runtime.audit_trail import entry
from servers.runtime.errors import InvalidRequest
from servers.runtime.interceptors.validation import validate
from servers.runtime.names import short

_AUDITED = {
    HookVerdict.HOOK_VERDICT_REFUSED: AuditOutcome.AUDIT_OUTCOME_REFUSED,
    HookVerdict.HOOK_VERDICT_FAILED: AuditOutcome.AUDIT_OUTCOME_FAILED,
}


def ended(file: File, hook: Hook, outcome: Outcome) -> AuditEntry:
    """That a hook came to its end."""
    return entry(
        "file.hook",
        _AUDITED.get(outcome.verdict, AuditOutcome.AUDIT_OUTCOME_DONE),
        resource=file.id,
        reason="REASON_FILE_REFUSED" if plan.refuses(hook, outcome) else "",
        details={
            "hook": hook.name,
            "verdict": short(HookVerdict, outcome.verdict),
            "sha256": file.sha256,
            **outcome.record,
        },
    )


def skipped(file: File, reports: Iterable[HookReport]) -> AuditEntry | None:
    """One record of all hooks that had nothing to do with a file; None if there are none."""
    found = {each.hook: each.explanation for each in reports if each.verdict == SKIPPED}
    if not found:
        return None
    why = "; ".join(f"{hook}: {because}" for hook, because in found.items())
    details = {"hooks": ", ".join(found), "sha256": file.sha256, "why": why[:900]}
    done = AuditOutcome.AUDIT_OUTCOME_DONE
    return entry("file.hooks_skipped", done, resource=file.id, details=details)


def keepable(file: File, hook: Hook, outcome: Outcome) -> Outcome:
    """An outcome as stores take it: FAILED if what was found is nothing that can be kept. It may
    hold what a hostile file says."""
    tidy = replace(
        outcome,
        explanation=clean(outcome.explanation),
        summary=clean(outcome.summary),
        record={name: clean(value) for name, value in outcome.record.items()},
    )
    request = RecordHooksRequest(file_id=file.id, reports=[report(hook, tidy)])
    try:
        fill(request, tidy)
        RecordHooksRequest.FromString(request.SerializeToString())
        validate(request)
    except (ParseError, DecodeError, InvalidRequest, ValueError, RecursionError):
        return Outcome(FAILED, "what it found cannot be kept", record={"error": "unkeepable"})
    return tidy


def fill(request: RecordHooksRequest, outcome: Outcome) -> None:
    """What a hook found, besides its report, as a request keeps it."""
    ParseDict(dict(outcome.metadata), request.metadata)
    request.summary = outcome.summary
    request.chunks = outcome.chunks
    request.replaced_by_request_id = outcome.replaced_by
