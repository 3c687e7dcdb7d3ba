"""Remembering what was computed of short texts: a turn looks at the same messages as the one
before. Pure."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar

MOST_TEXTS = 4096
MOST_CHARACTERS = 2000
"""Longer texts are computed anew: they are rare, and would make the memory large."""

P = ParamSpec("P")
T = TypeVar("T")


def remembered(
    compute: Callable[Concatenate[str, P], T],
) -> Callable[Concatenate[str, P], T]:
    """The same function, which has to give the same for the same and something nobody changes."""
    known: Callable[..., T] = lru_cache(MOST_TEXTS)(compute)

    @wraps(compute)
    def found(text: str, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if len(text) > MOST_CHARACTERS:
            return compute(text, *args, **kwargs)
        return known(text, *args, **kwargs)

    return found
