"""Arguments as models write them: strict JSON, or what is wrong with it. Pure."""

from collections.abc import Sequence
from typing import Any, NoReturn

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest
from servers.tool_integration import strict
from servers.tool_integration.schema import violations
from servers.tool_integration.tool import Json, Tool

MOST_BYTES = 64 * 1024
MOST_LEVELS = 32


def parsed(text: str) -> dict[str, Json]:
    """The object that a text holds; nothing is a call without arguments. InvalidRequest if it is
    no JSON, no object, over 64 KiB, deeper than 32 levels, says anything twice, or holds half a
    character, which is JSON as an escape and no text that could be passed on."""
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        _refuse(f"they are larger than {MOST_BYTES} bytes")
    if not text.strip():
        return {}
    try:
        value = strict.loads(text, _once)
    except RecursionError:
        _refuse(f"they are deeper than {MOST_LEVELS} levels")
    except ValueError as error:
        _refuse(f"they are not JSON: {error}")
    if not isinstance(value, dict):
        _refuse("they are not a JSON object")
    if _levels(value) > MOST_LEVELS:
        _refuse(f"they are deeper than {MOST_LEVELS} levels")
    return value


def check(tool: Tool, arguments: dict[str, Json]) -> None:
    """InvalidRequest, naming what is wrong by its path, if the arguments break the tool's
    schema."""
    wrong = violations(tool.parameters, arguments)
    if wrong:
        said = "; ".join(f"`{path}`: {what}" if path else what for path, what in wrong)
        raise InvalidRequest(
            Reason.REASON_TOOL_ARGUMENTS,
            f"the arguments of `{tool.id}` break its schema: {said}",
            violations=wrong,
        )


def _refuse(wrong: str) -> NoReturn:
    raise InvalidRequest(
        Reason.REASON_TOOL_ARGUMENTS,
        f"the arguments cannot be read: {wrong}",
        violations=[("arguments_json", wrong)],
    )


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i]))
        raise ValueError(f"`{twice[:100]}` is there twice")
    return found


def _levels(value: Json) -> int:
    """Levels of lists and objects, 1 for one that holds none; counted without recursion."""
    deepest, row = 0, [value]
    while row:
        inner = [v for v in row if isinstance(v, dict | list)]
        deepest += bool(inner)
        row = [e for v in inner for e in (v.values() if isinstance(v, dict) else v)]
    return deepest
