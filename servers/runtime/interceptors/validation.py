"""Validation: every rule of the contract, before the servicer sees the request."""

from typing import Any

import protovalidate
from google.protobuf.message import Message

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest
from servers.runtime.interceptors.chain import Around, Enter, Incoming

SMALL_BYTES = 16_384
MOST_TOLD = 20


class Validation(Around):
    """Refuses requests that break a rule, naming each field."""

    def of(self, method: str) -> Enter:
        """Checks each request; streams of requests pass."""
        return _check


def _check(call: Incoming) -> None:
    if call.request is not None:
        validate(call.request)


def validate(message: Message) -> None:
    """Raises InvalidRequest with the broken rules of a message: all of a small one, the first of a
    large one, whose every item would else be looked at and told."""
    broken = protovalidate.collect_violations(message, fail_fast=True)
    if not broken:
        return
    if message.ByteSize() <= SMALL_BYTES:
        broken = protovalidate.collect_violations(message)[:MOST_TOLD]
    found = [(_path(v.proto), v.proto.message) for v in broken]
    field, description = found[0]
    raise InvalidRequest(Reason.REASON_FIELD_INVALID, f"`{field}` {description}", violations=found)


def _path(violation: Any) -> str:
    """The field's path, such as `changes[0].mode`."""
    path = ""
    for element in violation.field.elements if violation.field else ():
        path += f".{element.field_name}" if path else element.field_name
        path += _subscript(element)
    return path or "request"


def _subscript(element: Any) -> str:
    subscript = element.subscript
    return "" if subscript is None else f"[{getattr(subscript, 'value', subscript)}]"
