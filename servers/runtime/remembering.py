"""Remembering what was computed of short texts: a turn looks at the same messages as the one
before. The texts themselves are not kept, only their digests. Pure."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar

MOST_TEXTS = 4096
MOST_CHARACTERS = 2000
"""Longer texts are computed anew: they are rare, and would make the memory large."""

P = ParamSpec("P")
T = TypeVar("T")


class _Known:
    """What was computed last; calls may come from several threads."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> tuple[Any] | None:
        with self._lock:
            if key not in self._found:
                return None
            self._found.move_to_end(key)
            return (self._found[key],)

    def put(self, key: Hashable, value: Any) -> None:
        with self._lock:
            self._found[key] = value
            if len(self._found) > MOST_TEXTS:
                self._found.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._found.clear()


_ALL: list[_Known] = []


def remembered(
    compute: Callable[Concatenate[str, P], T],
) -> Callable[Concatenate[str, P], T]:
    """The same function, which has to give the same for the same and something nobody changes."""
    known = _Known()
    _ALL.append(known)

    @wraps(compute)
    def found(text: str, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if len(text) > MOST_CHARACTERS:
            return compute(text, *args, **kwargs)
        key = (_digest(text), args, tuple(sorted(kwargs.items())))
        value = known.get(key)
        if value is None:
            value = (compute(text, *args, **kwargs),)
            known.put(key, value[0])
        return value[0]

    return found


def forget() -> None:
    """Forgets everything that was computed in this process: words of a text are content as well."""
    for known in _ALL:
        known.clear()


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
