"""What tools give: JSON that fits the tool's schema and is not too long. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Unavailable
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
    if _size(text) <= most_bytes:
        return Result(text, metadata=told.metadata)
    return Result(_cut(value, text, most_bytes), truncated=True, metadata=told.metadata)


def _text(tool: Tool, value: Json) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Unavailable(
            Reason.REASON_TOOL_RESULT,
            f"the result of `{tool.id}` is not JSON ({type(error).__name__})",
            retryable=False,
        ) from error
    return text


def _size(text: str) -> int:
    return len(text.encode())


def _cut(value: Json, text: str, most_bytes: int) -> str:
    """Texts and lists cut off at shorter and shorter lengths until the whole fits; the beginning
    of the text if that is not enough."""
    characters, items = most_bytes, max(1, most_bytes // 64)
    while characters >= 16:
        shorter = json.dumps(
            _shortened(value, characters, items), ensure_ascii=False, separators=(",", ":")
        )
        if _size(shorter) <= most_bytes:
            return shorter
        characters, items = characters // 2, max(1, items // 2)
    return json.dumps(text[: most_bytes // 8], ensure_ascii=False)


def _shortened(value: Json, characters: int, items: int) -> Json:
    if isinstance(value, str):
        return value if len(value) <= characters else value[:characters] + "…"
    if isinstance(value, dict):
        return {key: _shortened(each, characters, items) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(each, characters, items) for each in value[:items]]
    return value
