"""JSON as the standard has it: no NaN, no infinite numbers, no half characters. Pure."""

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from servers.tool_integration.tool import Json

_HALVES = re.compile(r"\\u[dD][89a-fA-F]")
"""The escapes of which two make a character."""

Pairs = Callable[[Sequence[tuple[str, Any]]], dict[str, Any]]


def loads(text: str, pairs: Pairs = dict) -> Json:
    """The value of a text, whole numbers of any size as they are; `pairs` makes its objects.
    ValueError if it is none, or holds half a character, which is JSON as an escape and no text that
    could be passed on; RecursionError if it is too deep."""
    value = json.loads(
        text, object_pairs_hook=pairs, parse_constant=_no_constant, parse_float=_finite
    )
    if _HALVES.search(text):
        _require_text(value)
    return value


def _require_text(value: Json) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("half a character (a lone surrogate)") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
