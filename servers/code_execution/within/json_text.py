"""JSON by the interpreter's own parser and encoder, as `json` has them, without what `json` imports
for those who have none: `re` and `enum` take a worker longer than the rest of its modules."""

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONSTANTS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
SPACE = " \t\n\r"


class _Reading:
    """How the parser is to read: what `json.JSONDecoder()` says."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int
    parse_constant = CONSTANTS.__getitem__


_scan = _json.make_scanner(_Reading())  # type: ignore[arg-type]  # anything with its attributes


def loads(text: str | bytes) -> "Any":
    """What a text says, in UTF-8 if it is bytes. ValueError if it is no JSON."""
    whole = (text if isinstance(text, str) else text.decode()).strip(SPACE)
    try:
        value, end = _scan(whole, 0)
    except StopIteration:
        end = -1
    if end != len(whole):
        raise ValueError("this is no JSON")
    return value


def dumps(value: object, *, allow_nan: bool = True) -> str:
    """A value as a text of ASCII. TypeError or ValueError if it has none."""
    quoted = _json.encode_basestring_ascii
    encode = _json.make_encoder({}, _refuse, quoted, None, ": ", ", ", False, False, allow_nan)
    return "".join(encode(value, 0))


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is no JSON")
