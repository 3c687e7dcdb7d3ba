"""Changes of a conversation's configuration: conversation and change in, conversation out. Pure.

Whether a user may make a change, the contract says and others have checked; here is what it does.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from kari.conversation_models.v1.conversation_pb2 import Conversation, ConversationChange
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Conflict, InvalidRequest, NotFound

MOST_PINS = 20
MOST_PARTICIPANTS = 100
LARGEST_METADATA = 16 * 1024


def apply_all(
    conversation: Conversation, changes: Iterable[ConversationChange], latest_sequence: int
) -> Conversation:
    """The conversation after all changes, each of which makes a version. `latest_sequence` is that
    of its last message. Raises why a change cannot be made; the conversation given stays as is."""
    for change in changes:
        conversation = apply(conversation, change, latest_sequence)
    return conversation


def apply(
    conversation: Conversation, change: ConversationChange, latest_sequence: int
) -> Conversation:
    """The conversation after one change."""
    changed = Conversation()
    changed.CopyFrom(conversation)
    HOW[field_of(change)](changed, change, latest_sequence)
    changed.version += 1
    return changed


def field_of(change: ConversationChange) -> str:
    """Name of the field that a change sets, such as `pin_message_id`."""
    return change.WhichOneof("change") or ""


def pins_of(changes: Iterable[ConversationChange]) -> list[str]:
    """The messages that changes pin."""
    return [c.pin_message_id for c in changes if field_of(c) == "pin_message_id"]


def clears_context(changes: Iterable[ConversationChange]) -> bool:
    """Whether one of the changes leaves the messages so far out of the context."""
    return any(field_of(change) == "clear_context" for change in changes)


def require_version(conversation: Conversation, expected: int) -> None:
    """Raises Conflict if the changes are meant for another version; 0 is meant for any."""
    if expected and expected != conversation.version:
        raise Conflict(
            Reason.REASON_VERSION_CONFLICT,
            "the conversation was changed by somebody else; read it and try again",
            retryable=True,
            expected=expected,
            actual=conversation.version,
        )


def difference(before: Sequence[str], after: Sequence[str]) -> tuple[list[str], list[str]]:
    """Who left and who came."""
    left = [each for each in before if each not in after]
    came = [each for each in after if each not in before]
    return left, came


def _persona(conversation: Conversation, change: ConversationChange, _: int) -> None:
    if change.persona.HasField("persona"):
        conversation.persona.CopyFrom(change.persona.persona)
    else:
        conversation.ClearField("persona")


def _pin(conversation: Conversation, change: ConversationChange, _: int) -> None:
    pins = conversation.pinned_message_ids
    if change.pin_message_id in pins:
        return
    if len(pins) >= MOST_PINS:
        raise _refused(f"{MOST_PINS} messages are pinned already; unpin one first", limit=MOST_PINS)
    pins.append(change.pin_message_id)


def _unpin(conversation: Conversation, change: ConversationChange, _: int) -> None:
    if change.unpin_message_id not in conversation.pinned_message_ids:
        raise NotFound(
            Reason.REASON_MESSAGE_NOT_FOUND,
            "that message is not pinned",
            message_id=change.unpin_message_id,
        )
    conversation.pinned_message_ids.remove(change.unpin_message_id)


def _clear_context(conversation: Conversation, _: ConversationChange, latest_sequence: int) -> None:
    conversation.context_cleared_through = latest_sequence


def _add_participant(conversation: Conversation, change: ConversationChange, _: int) -> None:
    participants = conversation.participant_ids
    if change.add_participant_id in participants:
        return
    if len(participants) >= MOST_PARTICIPANTS:
        raise _refused(
            f"a conversation has {MOST_PARTICIPANTS} participants at most", limit=MOST_PARTICIPANTS
        )
    participants.append(change.add_participant_id)


def _remove_participant(conversation: Conversation, change: ConversationChange, _: int) -> None:
    participants = conversation.participant_ids
    if change.remove_participant_id not in participants:
        raise NotFound(
            Reason.REASON_USER_NOT_FOUND,
            "that user takes no part in this conversation",
            user_id=change.remove_participant_id,
        )
    if len(participants) == 1:
        raise _refused("the last participant cannot be removed", limit=1)
    participants.remove(change.remove_participant_id)


def _metadata(conversation: Conversation, change: ConversationChange, _: int) -> None:
    if change.metadata.ByteSize() > LARGEST_METADATA:
        raise _refused(f"metadata take {LARGEST_METADATA} bytes at most", limit=LARGEST_METADATA)
    conversation.metadata.CopyFrom(change.metadata)


def _value(conversation: Conversation, change: ConversationChange, _: int) -> None:
    field = field_of(change)
    setattr(conversation, field, getattr(change, field))


def _refused(message: str, *, limit: int) -> InvalidRequest:
    return InvalidRequest(
        Reason.REASON_FIELD_INVALID, message, violations=[("changes", message)], limit=limit
    )


HOW: Mapping[str, Callable[[Conversation, ConversationChange, int], None]] = {
    "mode": _value,
    "model": _value,
    "system_instructions": _value,
    "persona": _persona,
    "pin_message_id": _pin,
    "unpin_message_id": _unpin,
    "title": _value,
    "clear_context": _clear_context,
    "add_participant_id": _add_participant,
    "remove_participant_id": _remove_participant,
    "metadata": _metadata,
}
"""What each kind of change does. A kind that is missing here cannot be made."""
