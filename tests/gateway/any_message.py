"""Messages of any type, as hypothesis makes them from its descriptor: every kind of field, set or
not, so that a field that is added to a contract is tested without a word."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

DEEPEST = 6
NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_ENUM: st.integers(0, 30),
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
USUAL = st.integers(1_500_000_000, 2_000_000_000)
TIMES = {"google.protobuf.Timestamp": 253_402_300_799, "google.protobuf.Duration": 315_576_000_000}


def fill(draw: st.DrawFn, message: Message, *, full: bool = False, depth: int = 0) -> None:
    """Sets any of its fields, or all of them if `full`; but one of each oneof."""
    kind = message.DESCRIPTOR
    if kind.full_name in TIMES:
        message.seconds = draw(USUAL | st.integers(0, TIMES[kind.full_name]))  # type: ignore[attr-defined]  # both have it
        message.nanos = draw(_nanos())  # type: ignore[attr-defined]
        return
    for field in _chosen(draw, kind):
        if full or draw(st.booleans()):
            _set(draw, message, field, full, depth + 1)


def _chosen(draw: st.DrawFn, kind: Any) -> list[FieldDescriptor]:
    free = [field for field in kind.fields if field.containing_oneof is None]
    return free + [draw(st.sampled_from(list(oneof.fields))) for oneof in kind.oneofs]


def _set(draw: st.DrawFn, message: Message, field: FieldDescriptor, full: bool, depth: int) -> None:
    kind = field.message_type
    if kind is not None and depth > DEEPEST:
        return
    if kind is not None and kind.GetOptions().map_entry:
        _enter(draw, getattr(message, field.name), kind, depth)
    elif field.is_repeated:
        for _ in range(draw(st.integers(0, 2))):
            getattr(message, field.name).append(_value(draw, field, full, depth))
    elif kind is not None:
        inner = getattr(message, field.name)
        inner.SetInParent()
        fill(draw, inner, full=full, depth=depth)
    else:
        setattr(message, field.name, _value(draw, field, full, depth))


def _enter(draw: st.DrawFn, entries: Any, kind: Any, depth: int) -> None:
    key, value = kind.fields_by_name["key"], kind.fields_by_name["value"]
    for _ in range(draw(st.integers(0, 2))):
        name = _value(draw, key, False, depth)
        if value.message_type is None:
            entries[name] = _value(draw, value, False, depth)
        else:
            fill(draw, entries[name], depth=depth)


def _value(draw: st.DrawFn, field: FieldDescriptor, full: bool, depth: int) -> Any:
    if field.message_type is not None:
        inner = GetMessageClass(field.message_type)()
        fill(draw, inner, full=full, depth=depth)
        return inner
    if field.type == FieldDescriptor.TYPE_BYTES:
        return draw(st.binary(max_size=20))
    return draw(NUMBERS.get(field.cpp_type, TEXT))


def _nanos() -> st.SearchStrategy[int]:
    return st.sampled_from([1, 1_000, 1_000_000]).flatmap(
        lambda unit: st.integers(0, 999).map(lambda n: n * unit)
    ) | st.integers(0, 999_999_999)
