"""Tools as models are told of them. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

from kari.conversation_models.v1.tool_pb2 import Tool
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest

NOT_AT_THE_TOP = ("oneOf", "anyOf", "allOf", "not", "enum", "const")
"""What OpenAI and Anthropic refuse at the top of a schema. It is left out: the registry checks
the arguments by the whole schema."""


def check(tools: Iterable[Tool]) -> None:
    """InvalidRequest if tools cannot be told of; names the field."""
    seen: set[str] = set()
    for place, tool in enumerate(tools):
        if tool.id in seen:
            raise _invalid(f"tools[{place}].id", f"`{tool.id}` is there twice; send it once")
        seen.add(tool.id)
        try:
            schema_of(tool)
        except (msgspec.DecodeError, RecursionError) as error:
            field = f"tools[{place}].parameters_schema"
            problem = f"of `{tool.id}` is no JSON object; send a JSON Schema, or nothing"
            raise _invalid(field, problem) from error


def schema_of(tool: Tool) -> dict[str, Any]:
    """The schema of its arguments with what every provider insists on. msgspec.DecodeError or
    RecursionError if it cannot be read."""
    schema: dict[str, Any] = {}
    if tool.parameters_schema.strip():
        schema = msgspec.json.decode(tool.parameters_schema, type=dict)
    schema = {name: value for name, value in schema.items() if name not in NOT_AT_THE_TOP}
    return {**schema, "type": "object", "properties": schema.get("properties") or {}}


def described(tool: Tool, longest: int | None = None) -> str:
    """What it does, in at most so many characters."""
    text = tool.description or tool.name or tool.id
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"


def _invalid(field: str, problem: str) -> InvalidRequest:
    return InvalidRequest(
        Reason.REASON_FIELD_INVALID, f"{field} {problem}", violations=[(field, problem)]
    )
