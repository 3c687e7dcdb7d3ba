"""Summaries as rows, and back; which ones may be written. Pure."""

from kari.conversation_models.v1.summary_pb2 import (
    ConversationSummary,
    MessageRange,
    ParticipantIntent,
    SummaryKind,
)
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import SummaryTask
from servers.production_memory.message import timestamp
from servers.runtime.errors import Conflict, InvalidRequest
from servers.runtime.names import short
from servers.runtime.queries import Row


def summary_of(row: Row) -> ConversationSummary:
    """The summary of a row of `summaries`."""
    return ConversationSummary(
        id=row["id"],
        conversation_id=row["conversation_id"],
        kind=SummaryKind.Value(f"SUMMARY_KIND_{row['kind'].upper()}"),
        summary=row["content"],
        key_topics=row["key_topics"],
        participant_intents=[ParticipantIntent.FromString(each) for each in row["intents"]],
        created_at=timestamp(row["created_at"]),
        message_range=MessageRange(
            first_message_id=row["first_message_id"],
            last_message_id=row["last_message_id"],
            first_sequence=row["first_sequence"],
            last_sequence=row["last_sequence"],
        ),
        model_used=row["model_used"],
    )


def task_of(row: Row) -> SummaryTask:
    """The task of a row of `claim_summaries`."""
    return SummaryTask(
        tenant_id=row["tenant_id"],
        conversation_id=row["conversation_id"],
        user_id=row["user_id"],
        kind=SummaryKind.Value(f"SUMMARY_KIND_{row['kind'].upper()}"),
        first_sequence=row["first_sequence"],
        last_sequence=row["last_sequence"],
    )


def kind_of(kind: SummaryKind.ValueType) -> str:
    """A kind as the table has it; empty if it is not stated."""
    return short(SummaryKind, kind) if kind else ""


def require_whole(summary: ConversationSummary) -> None:
    """InvalidRequest unless it says of what it is, why, and what it covers."""
    covers = summary.message_range
    missing = [
        (f"summary.{field}", "is not set")
        for field, given in (
            ("conversation_id", summary.conversation_id),
            ("kind", summary.kind in SummaryKind.values() and summary.kind),
            ("message_range.first_message_id", covers.first_message_id),
            ("message_range.last_message_id", covers.last_message_id),
            ("message_range.first_sequence", covers.first_sequence > 0),
            ("message_range.last_sequence", covers.last_sequence >= covers.first_sequence),
        )
        if not given
    ]
    if missing:
        raise InvalidRequest(
            Reason.REASON_FIELD_INVALID,
            "a summary says which messages of which conversation it covers, and why it was made",
            violations=missing,
        )


def require_next(summary: ConversationSummary, through: int) -> None:
    """Conflict unless it begins behind the last message that its kind covers."""
    if summary.message_range.first_sequence != through + 1:
        raise _covered_otherwise(through)


def require_same(summary: ConversationSummary, known: Row) -> None:
    """Conflict unless the known one covers the same messages."""
    if summary.message_range.last_sequence != known["last_sequence"]:
        raise _covered_otherwise(known["last_sequence"])


def _covered_otherwise(through: int) -> Conflict:
    return Conflict(
        Reason.REASON_VERSION_CONFLICT,
        "summaries of a kind follow each other, and another one comes before this; claim again",
        covered_through=through,
    )


def unknown_messages() -> InvalidRequest:
    """The range names messages that do not stand there."""
    return InvalidRequest(
        Reason.REASON_MESSAGE_NOT_FOUND,
        "the range of the summary names messages that are not at these places of the conversation",
        violations=[("summary.message_range", "names messages that are not there")],
    )
