"""What tools give: JSON that fits the tool's schema and is not too long. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Unavailable
from servers.tool_integration.cutting import cut, length
from servers.tool_integration.schema import violations
from servers.tool_integration.tool import Json, Told, Tool

MOST_BYTES = 64 * 1024
"""Of a result as JSON text: about 16,000 tokens, more than any prompt has room for."""


@dataclass(frozen=True)
class Result:
    """A result as JSON text, whether its rest was left out, and what else is known of the call."""

    text: str
    truncated: bool = False
    metadata: Mapping[str, Json] = field(default_factory=dict)


def encoded(tool: Tool, given: Json | Told, most_bytes: int = MOST_BYTES) -> Result:
    """The result as text. Unavailable if it is no JSON or breaks the tool's schema. One that is too
    long is cut: the same result is always cut the same way, and stays JSON, though the schema may
    ask for more than what is left."""
    told = given if isinstance(given, Told) else Told(given)
    value, text = told.value, _text(tool, told.value)
    if tool.result is not None:
        wrong = violations(tool.result, value)
        if wrong:
            path, what = wrong[0]
            raise Unavailable(
                Reason.REASON_TOOL_RESULT,
                f"the result of `{tool.id}` is not what its schema says",
                violations=[(path, what)],
                retryable=False,
            )
    if len(text.encode()) <= most_bytes:
        return Result(text, metadata=told.metadata)
    return Result(_cut(value, text, most_bytes), truncated=True, metadata=told.metadata)


def is_long(given: Json | Told) -> bool:
    """Whether a result has to be cut, or nearly: what `encoded` does with it then takes long."""
    value = given.value if isinstance(given, Told) else given
    return length(value, MOST_BYTES) >= MOST_BYTES


def _text(tool: Tool, value: Json) -> str:
    try:
        text = _dumped(value) if length(value, MOST_BYTES) < MOST_BYTES else _written(value)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Unavailable(
            Reason.REASON_TOOL_RESULT,
            f"the result of `{tool.id}` is not JSON ({type(error).__name__})",
            retryable=False,
        ) from error
    return text


def _dumped(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _written(value: Json) -> str:
    """As `_dumped`, which for megabytes would not let another thread run until it is done."""
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return "".join(encoder.iterencode(value))


def _cut(value: Json, text: str, most_bytes: int) -> str:
    """The value with shorter texts, lists and objects, or the beginning of its text if nothing is
    left of it so."""
    shorter = cut(value, most_bytes)
    return _dumped(shorter or cut(text, most_bytes))
