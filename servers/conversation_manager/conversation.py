"""Conversations as rows, and back. Pure."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from kari.conversation_manager.v1.conversation_manager_pb2 import ConversationUpdate
from kari.conversation_models.v1.conversation_pb2 import (
    ContextSnapshot,
    Conversation,
    ConversationChange,
    ConversationMode,
    Persona,
)
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Conflict, NotFound
from servers.runtime.names import short
from servers.runtime.queries import Row


def conversation_of(row: Row) -> Conversation:
    """The conversation of a row of `conversations` with its `participant_ids`."""
    return Conversation(
        id=row["id"],
        tenant_id=row["tenant_id"],
        participant_ids=row["participant_ids"],
        created_at=timestamp(row["created_at"]),
        updated_at=timestamp(row["updated_at"]),
        mode=ConversationMode.Value(f"CONVERSATION_MODE_{row['mode'].upper()}"),
        model=row["model"],
        system_instructions=row["system_instructions"],
        persona=_parsed(Persona, row["persona"]),
        pinned_message_ids=row["pinned_message_ids"],
        context_snapshot=_parsed(ContextSnapshot, row["snapshot"]),
        metadata=_parsed(Struct, row["metadata"]),
        title=row["title"],
        version=row["version"],
        context_cleared_through=row["context_cleared_through"],
    )


def columns_of(conversation: Conversation) -> tuple[object, ...]:
    """What can be changed of a conversation, in the order in which `write_conversation` asks."""
    return (
        conversation.id,
        conversation.version,
        conversation.title,
        short(ConversationMode, conversation.mode),
        conversation.model,
        conversation.system_instructions,
        _serialized(conversation, "persona"),
        list(conversation.pinned_message_ids),
        conversation.context_cleared_through,
        _serialized(conversation, "metadata"),
    )


def update_of(row: Row) -> ConversationUpdate:
    """The entry of the log of a row of `updates`."""
    return ConversationUpdate(
        version=row["version"],
        user_id=row["user_id"],
        timestamp=timestamp(row["created_at"]),
        change=ConversationChange.FromString(row["change"]),
        correlation_id=row["correlation_id"],
    )


def digest_of(user_id: str, *parts: Message | str) -> bytes:
    """What a repeated request has to have in common with the first: sender and content."""
    digest = hashlib.sha256(user_id.encode())
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part.SerializeToString(deterministic=True)
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.digest()


def require_same(first: bytes, digest: bytes) -> None:
    """Raises Conflict if the request id was used for another request."""
    if first != digest:
        raise Conflict(
            Reason.REASON_REQUEST_ID_REUSED,
            "this request id was used before for another request; use a new one",
        )


def require_participant(participant_ids: Sequence[str], user_id: str) -> None:
    """Raises NotFound if the user does not take part: whoever does not is not told that the
    conversation exists."""
    if user_id not in participant_ids:
        raise unknown_conversation()


def unknown_conversation() -> NotFound:
    """There is no such conversation, or none that the caller may see."""
    return NotFound(Reason.REASON_CONVERSATION_NOT_FOUND, "there is no such conversation")


def timestamp(moment: datetime) -> Timestamp:
    """A moment of the database as the contract has it."""
    result = Timestamp()
    result.FromDatetime(moment)
    return result


def _parsed(kind: type[Any], content: bytes | None) -> Any:
    return None if content is None else kind.FromString(content)


def _serialized(conversation: Conversation, field: str) -> bytes | None:
    if not conversation.HasField(field):  # type: ignore[arg-type]  # the names are ours
        return None
    content: bytes = getattr(conversation, field).SerializeToString(deterministic=True)
    return content
