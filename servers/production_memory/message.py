"""Messages as rows, and back. Pure."""

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from kari.conversation_models.v1.tool_pb2 import ToolUse
from kari.production_memory.v1.production_memory_pb2 import BeginTurnRequest, FinishTurnRequest
from servers.runtime.queries import Row


def message_of(row: Row) -> Message:
    """The message of a row of `messages`. Its metadata say if it is an apology of the runtime."""
    message = Message(
        id=row["id"],
        conversation_id=row["conversation_id"],
        role=MessageRole.Value(f"MESSAGE_ROLE_{row['role'].upper()}"),
        content=row["content"],
        timestamp=timestamp(row["created_at"]),
        user_id=row["user_id"],
        tokens_used=row["tokens_used"],
        model_used=row["model_used"],
        turn_id=row["turn_id"],
        sequence=row["sequence"],
        reply_to_message_id=row["reply_to_message_id"],
        mentioned_user_ids=row["mentioned_user_ids"],
        partial=row["partial"],
        author=row["author"],
        tools_called=[ToolUse.FromString(each) for each in row["tools_called"]],
        file_ids=row["file_ids"],
    )
    if row["apology"]:
        message.metadata["apology"] = True
    return message


def begun_message(request: BeginTurnRequest, turn: Row, author: str) -> Message:
    """The user's message as the statement committed it that made this row of `turns`."""
    return Message(
        id=turn["user_message_id"],
        conversation_id=request.conversation_id,
        role=MessageRole.MESSAGE_ROLE_USER,
        content=request.content,
        timestamp=timestamp(turn["created_at"]),
        user_id=turn["user_id"],
        turn_id=turn["id"],
        sequence=turn["user_sequence"],
        reply_to_message_id=request.reply_to_message_id,
        mentioned_user_ids=request.mentioned_user_ids,
        author=author,
        file_ids=request.file_ids,
    )


def answer_message(
    request: FinishTurnRequest, turn: Row, tools_called: Sequence[ToolUse] = ()
) -> Message:
    """The answer as the statement committed it that made this row of `turns`."""
    message = Message(
        id=turn["assistant_message_id"],
        conversation_id=turn["conversation_id"],
        role=MessageRole.MESSAGE_ROLE_ASSISTANT,
        content=storable(request.content),
        timestamp=timestamp(turn["ended_at"]),
        tokens_used=request.usage.completion_tokens,
        model_used=request.model_used,
        turn_id=turn["id"],
        sequence=turn["answer_sequence"],
        reply_to_message_id=turn["user_message_id"],
        partial=request.partial,
        tools_called=tools_called,
    )
    if request.apology:
        message.metadata["apology"] = True
    return message


def storable(text: str) -> str:
    """The text as Postgres takes it: NUL, which its texts cannot hold, becomes U+FFFD. For what a
    model writes; from people the contract refuses it."""
    return text.replace("\x00", "\ufffd")


def timestamp(moment: datetime | None) -> Timestamp | None:
    """A moment of the database as the contract has it."""
    if moment is None:
        return None
    result = Timestamp()
    result.FromDatetime(moment)
    return result
