"""A message of one contract as that of another whose fields are numbered alike. Pure."""

from typing import TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


def restated(message: Message, kind: type[M]) -> M:
    """The same fields. What the caller's contract does not have does not go on: it may mean
    something further on."""
    message.DiscardUnknownFields()
    return kind.FromString(message.SerializeToString())
