"""Values of JSON cut to a number of bytes, in time that grows with what is kept. Pure."""

import json
from bisect import bisect_right
from collections.abc import Collection, Iterator
from typing import Any, TypeAlias

from servers.tool_integration.tool import Json

MOST_LEVELS = 32
"""What lies deeper is left out."""
PARTS = 64
"""An element gets this part of its list's room at least, however many there are."""
LEAST = 16
"""Bytes that an element gets at least."""
MORE = "…"

Kept: TypeAlias = tuple[Json, int]
"""What of a value is kept, and how many bytes it takes."""


def length(value: Json, most: int) -> int:
    """About how many bytes a value has as JSON; of one that has more than `most`, or that holds
    itself, only so much is looked at, and it is `most`."""
    left, row = most, [value]
    while row and left > 0:
        each = row.pop()
        left -= 1
        if isinstance(each, str):
            left -= len(each) + 1
        elif isinstance(each, dict | list | tuple):
            left -= len(each)
            # With more elements than bytes none of them need be looked at.
            row += _parts(each) if left > 0 else ()
    return most - max(left, 0)


def cut(value: Json, most: int) -> Json:
    """The beginning of a value, at most so many bytes as compact JSON: texts and lists are cut off,
    and objects after their first names; what is short stays whole if there is room, and what is
    long shares the rest. The same value is always cut the same way. None if nothing of it fits."""
    kept = _kept(value, most, MOST_LEVELS)
    return None if kept is None else kept[0]


def size(value: Json) -> int:
    """Bytes of a value as compact JSON."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _parts(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    else:
        yield from value


def _kept(value: Json, room: int, levels: int) -> Kept | None:
    """None if nothing of a value fits."""
    if isinstance(value, str):
        return _text(value, room)
    if isinstance(value, dict | list | tuple) and value:
        if levels == 0:
            return _text(MORE, room)
        return (
            _object(value, room, levels) if isinstance(value, dict) else _list(value, room, levels)
        )
    bytes_ = size(value)
    return (value, bytes_) if bytes_ <= room else None


def _text(text: str, room: int) -> Kept | None:
    if len(text) <= room and (whole := size(text)) <= room:
        return text, whole
    left = room - len(MORE.encode())
    if left < 2:
        return None
    kept = bisect_right(range(1, min(len(text), left) + 1), left, key=lambda n: size(text[:n]))
    return text[:kept] + MORE, size(text[:kept]) + len(MORE.encode())


def _list(value: Collection[Json], room: int, levels: int) -> Kept | None:
    left = room - len("[]")
    share, kept = _share(value, left - len(value)), list[Json]()
    for each in value:
        part = _kept(each, min(share, left - 1), levels - 1)
        if part is None:
            break
        kept.append(part[0])
        left -= part[1] + len(",")
    return (kept, room - left - bool(kept)) if room >= len("[]") else None


def _object(value: dict[Any, Json], room: int, levels: int) -> Kept | None:
    left = room - len("{}")
    # With a colon and a comma each.
    names = sum(length(key, room) + 2 for key in value) if len(value) < room else room
    share, kept = _share(value.values(), left - names), dict[Any, Json]()
    for key, each in value.items():
        # A key that is no text is written as one, in quotation marks.
        name = size(key) + len(":") + (0 if isinstance(key, str) else len('""'))
        part = _kept(each, min(share, left - name - 1), levels - 1)
        if part is None:
            break
        kept[key] = part[0]
        left -= name + part[1] + len(",")
    return (kept, room - left - bool(kept)) if room >= len("{}") else None


def _share(elements: Collection[Json], room: int) -> int:
    """The most bytes that one of the elements gets."""
    fair = room // len(elements)
    least = max(room // PARTS, LEAST)
    if fair < LEAST:
        return least
    needs = [length(each, fair) for each in elements]
    short = [need for need in needs if need < fair]
    if len(short) == len(needs):
        return room
    return max((room - sum(short)) // (len(needs) - len(short)), least)
