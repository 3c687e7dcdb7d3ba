"""Values against JSON Schema, draft 2020-12; what is wrong is named by its path. Pure."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing.exceptions import Unresolvable

from servers.runtime.bounded_schema import TooMuch, bounded, bounded_errors
from servers.tool_integration.tool import Json, Schema, Tool

Violation = tuple[str, str]
"""Path of what is wrong, such as `days[0].from`, and what is wrong with it."""

MOST_VIOLATIONS = 10
MOST_CHARACTERS = 200


def violations(schema: Schema, value: Json) -> list[Violation]:
    """What is wrong with a value, at most ten of it, in the order of the schema; empty if it
    fits."""
    try:
        errors = bounded_errors(_compiled(_text(schema)), value, MOST_VIOLATIONS)
        return [violation for error in errors for violation in _told(error)][:MOST_VIOLATIONS]
    except (Unresolvable, RecursionError):
        return [("", "the tool's schema refers to what is not in it")]
    except TooMuch:
        return [("", "it takes too long to check by the tool's schema")]


def checked(tool: Tool) -> str:
    """What is wrong with a tool's schemas; empty if nothing is."""
    for what, schema in (("parameters", tool.parameters), ("result", tool.result)):
        if schema is None:
            continue
        try:
            Draft202012Validator.check_schema(schema)
        except (SchemaError, RecursionError) as error:
            said = getattr(error, "message", "it is too deep")[:MOST_CHARACTERS]
            return f"the schema of its {what} is no JSON Schema (2020-12): {said}"
    if tool.parameters.get("type") != "object":
        return "the schema of its parameters has to say `type: object`"
    return ""


def _text(schema: Schema) -> bytes:
    return orjson.dumps(schema)


@lru_cache(maxsize=512)
def _compiled(schema: bytes) -> Any:
    return bounded(orjson.loads(schema))


def _told(error: ValidationError) -> Iterator[Violation]:
    where = _path(error)
    if error.validator == "required":
        for name in error.validator_value:
            # One error for each that is missing; it has the name in its message alone.
            if error.message.startswith(f"{name!r} "):
                yield _joined(where, name), "is missing"
    elif error.validator == "additionalProperties" and error.validator_value is False:
        known = error.schema.get("properties", {})
        for name in islice((n for n in error.instance if n not in known), MOST_VIOLATIONS):
            yield _joined(where, name[:MOST_CHARACTERS]), "is not known"
    else:
        yield where, error.message[:MOST_CHARACTERS]


def _path(error: ValidationError) -> str:
    path = ""
    for part in error.absolute_path:
        path = f"{path}[{part}]" if isinstance(part, int) else _joined(path, str(part))
    return path


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
