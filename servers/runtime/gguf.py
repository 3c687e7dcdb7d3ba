"""Reads the metadata at the head of a GGUF file, without its tensors.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3: magic, version,
count of tensors, count of pairs, then pairs of key, type and value, all little-endian. Pure.
"""

import struct
from typing import BinaryIO

Value = int | float | bool | str | list["Value"]

_NUMBERS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING = 8
_ARRAY = 9


class NotGguf(ValueError):
    """The file is not GGUF, or of a version that is not known."""


def metadata(file: BinaryIO) -> dict[str, Value]:
    """All pairs of the file's head."""
    try:
        return _pairs(file)
    except struct.error as error:
        raise NotGguf("the file ends inside its head") from error


def _pairs(file: BinaryIO) -> dict[str, Value]:
    if file.read(4) != b"GGUF" or _number(file, "<I") not in (2, 3):
        raise NotGguf("not a GGUF file of version 2 or 3")
    _number(file, "<Q")
    return {_string(file): _value(file, _number(file, "<I")) for _ in range(_number(file, "<Q"))}


def _value(file: BinaryIO, kind: int) -> Value:
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        element, count = _number(file, "<I"), _number(file, "<Q")
        return [_value(file, element) for _ in range(count)]
    if kind in _NUMBERS:
        return _number(file, _NUMBERS[kind])
    raise NotGguf(f"unknown type {kind} of a value")


def _string(file: BinaryIO) -> str:
    return file.read(_number(file, "<Q")).decode()


def _number(file: BinaryIO, form: str) -> int:
    (number,) = struct.unpack(form, file.read(struct.calcsize(form)))
    return number  # type: ignore[no-any-return]  # struct does not say what it unpacks
