"""Messages as they may be logged: what the contract marks `debug_redact` is hidden. Pure."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

HIDDEN = "[redacted]"


def redacted(message: Message) -> dict[str, Any]:
    """The fields that are set, by name; secret ones hidden, at any depth."""
    return {field.name: _shown(field, value) for field, value in message.ListFields()}


def _shown(field: FieldDescriptor, value: Any) -> Any:
    if field.GetOptions().debug_redact:
        return HIDDEN
    if field.message_type is None:
        return list(value) if field.is_repeated else value
    if field.message_type.GetOptions().map_entry:
        return {str(key): _inner(inner) for key, inner in value.items()}
    return [redacted(inner) for inner in value] if field.is_repeated else redacted(value)


def _inner(value: Any) -> Any:
    return redacted(value) if isinstance(value, Message) else value
