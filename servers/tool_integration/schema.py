"""The schemas of tools, and values against them. Pure."""

from functools import lru_cache

import orjson

from servers.runtime.schemas import BadSchema, Violation
from servers.runtime.schemas import Schema as Checker
from servers.tool_integration.tool import Json, Schema, Tool


def violations(schema: Schema, value: Json) -> list[Violation]:
    """What is wrong with a value, at most ten of it, in the order of the schema; empty if it
    fits. Paths begin with a name, such as `days[0].from`."""
    found = _compiled(orjson.dumps(schema)).violations(value)
    return [(path.removeprefix("."), what) for path, what in found]


def checked(tool: Tool) -> str:
    """What is wrong with a tool's schemas; empty if nothing is."""
    for what, schema in (("parameters", tool.parameters), ("result", tool.result)):
        try:
            if schema is not None:
                _compiled(orjson.dumps(schema))
        except BadSchema as error:
            path, _, said = str(error).partition(": ")
            at = f" at {path.removeprefix('.')}" if path else ""
            return f"the schema of its {what} is no JSON Schema (2020-12){at}: {said}"
    if tool.parameters.get("type") != "object":
        return "the schema of its parameters has to say `type: object`"
    return ""


@lru_cache(maxsize=512)
def _compiled(schema: bytes) -> Checker:
    return Checker(orjson.loads(schema))
