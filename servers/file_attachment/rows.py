"""Rows as messages of the contract. Pure."""

from collections.abc import Sequence

from google.protobuf.struct_pb2 import Struct

from kari.conversation_models.v1.file_pb2 import File, FileState, HookReport, HookVerdict
from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1.file_attachment_pb2 import ClaimedFile
from servers.runtime.errors import Conflict, NotFound
from servers.runtime.names import short
from servers.runtime.queries import Row

READY = FileState.FILE_STATE_READY
QUARANTINED = FileState.FILE_STATE_QUARANTINED


def file_of(row: Row) -> File:
    """The file of a row that has its conversations."""
    file = File(
        id=row["id"],
        user_id=row["user_id"],
        conversation_ids=row["conversation_ids"],
        name=row["name"],
        content_type=row["content_type"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        state=state_of(row["state"]),
        refused_because=row["refused_because"],
        reports=[HookReport.FromString(each) for each in row["reports"]],
        metadata=Struct.FromString(row["metadata"]) if row["metadata"] else None,
        summary=row["summary"],
        chunks=row["chunks"],
        done=row["done"],
    )
    file.created_at.FromDatetime(row["created_at"])
    return file


def claimed(row: Row, tenant_id: str) -> ClaimedFile:
    """A file as whoever runs its hooks gets it."""
    return ClaimedFile(
        file=file_of(row),
        tenant_id=tenant_id,
        roles=row["roles"],
        claim=row["claim"],
        strip_metadata=row["strip_metadata"],
        conversation_id=row["conversation_id"],
        correlation_id=row["correlation_id"],
        claims_in_vain=row["claims_in_vain"],
    )


def state_of(name: str) -> FileState.ValueType:
    """The state of a row."""
    return FileState.Value(f"FILE_STATE_{name.upper()}")


def name_of(state: FileState.ValueType) -> str:
    """The state as rows have it."""
    return short(FileState, state)


def visible_to(row: Row | None, user_id: str, conversation_id: str) -> File:
    """The file of a row, for its owner, or through a conversation in which it is used and of which
    the caller was found to be a participant; else NotFound."""
    if row is None:
        raise unknown_file()
    file = file_of(row)
    if file.user_id != user_id and conversation_id not in file.conversation_ids:
        raise unknown_file()
    return file


def require_readable(file: File, *, for_hooks: bool) -> None:
    """Conflict unless the bytes of a file may be read: they are ready, or for the hooks."""
    if file.state == READY or (for_hooks and file.state == QUARANTINED):
        return
    if file.state == QUARANTINED:
        raise Conflict(
            Reason.REASON_FILE_NOT_READY,
            "the file is still being looked at; try again in a moment",
            retryable=True,
            retry_after=1.0,
        )
    raise Conflict(
        Reason.REASON_FILE_REFUSED, f"the file was refused: {file.refused_because}", file=file.id
    )


def merged(reports: Sequence[HookReport], newer: Sequence[HookReport]) -> list[HookReport]:
    """Reports by hook: newer ones in the place of those of the same hook, new ones behind."""
    found = {report.hook: report for report in reports}
    return list((found | {report.hook: report for report in newer}).values())


def ended_of(reports: Sequence[HookReport]) -> list[HookReport]:
    """Those of hooks that have come to their end."""
    return [report for report in reports if report.verdict != HookVerdict.HOOK_VERDICT_RUNNING]


def unknown_file() -> NotFound:
    """There is no such file, or none the caller may see."""
    return NotFound(Reason.REASON_FILE_NOT_FOUND, "there is no such file")
