"""Tools of an MCP server as tools of Kari. What the server says of them is text from outside: it is
bounded, and no character in it moves a cursor. Pure.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import mcp_types as mcp
import orjson

from kari.conversation_models.v1.tool_pb2 import ApprovalPolicy, SideEffects, ToolSource
from servers.tool_integration.mcp.configuration import McpServerEntry
from servers.tool_integration.mcp.naming import tool_id
from servers.tool_integration.tool import Tool

LONGEST_DESCRIPTION = 2000
LONGEST_NAME = 100
LARGEST_SCHEMA = 65_536
EVERYBODY = ("chat.user",)
PATTERNS = {"pattern": str, "patternProperties": dict}
NAMED = ("properties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose value has schemas by name."""
DATA = ("const", "enum", "default", "examples")
"""Keywords whose value is no schema."""


@dataclass(frozen=True)
class Described:
    """The tools by the server's own names for them, and what was left out of its list and why."""

    tools: dict[str, Tool] = field(default_factory=dict)
    refused: tuple[tuple[str, str], ...] = ()


def described(server: str, entry: McpServerEntry, listed: Sequence[mcp.Tool]) -> Described:
    """The tools of a list that the entry allows, in its order; of two with one name the first."""
    tools: dict[str, Tool] = {}
    refused: list[tuple[str, str]] = []
    for tool in listed:
        why = _refusal(entry, tool, tools)
        if why:
            refused.append((bounded(tool.name, LONGEST_NAME), why))
        elif entry.allows(tool.name):
            tools[tool.name] = _tool(server, entry, tool)
    return Described(tools, tuple(refused))


def bounded(text: str, most: int) -> str:
    """A text of a server's without control and format characters but newlines, cut where it is
    too long."""
    # Of a text of megabytes no more is looked at than can be of use.
    looked_at = text[: 2 * most]
    plain = "".join(
        c for c in looked_at if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf")
    )
    return plain if len(plain) <= most else f"{plain[: most - 1].rstrip()}…"


def without_patterns(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without its regular expressions: one that somebody else wrote can keep Python busy
    for ever on a short text. The server itself checks what it is given."""
    return {
        key: _of_value(key, value)
        for key, value in schema.items()
        if key not in PATTERNS or not isinstance(value, PATTERNS[key])
    }


def _of_value(key: str, value: Any) -> Any:
    if key in DATA:
        return value
    if isinstance(value, dict):
        # Names of properties are no keywords.
        if key in NAMED:
            return {name: _of_value("", each) for name, each in value.items()}
        return without_patterns(value)
    return [_of_value("", each) for each in value] if isinstance(value, list) else value


def _refusal(entry: McpServerEntry, tool: mcp.Tool, known: dict[str, Tool]) -> str:
    """Why a tool is left out; empty if it is not, or if the entry does not let it through."""
    if not entry.allows(tool.name):
        return ""
    if not tool.name:
        return "it has no name"
    if tool.name in known:
        return "another tool of the server has the same name"
    if len(known) >= entry.most_tools:
        return f"the server has more than {entry.most_tools} tools; see `most_tools` and `allow`"
    for what, schema in (("parameters", tool.input_schema), ("result", tool.output_schema)):
        if schema is not None and _size(schema) > LARGEST_SCHEMA:
            return f"the schema of its {what} is larger than {LARGEST_SCHEMA // 1024} KiB"
    return ""


def _size(schema: object) -> int:
    try:
        return len(orjson.dumps(schema))
    except (orjson.JSONEncodeError, RecursionError):
        return LARGEST_SCHEMA + 1


def _tool(server: str, entry: McpServerEntry, tool: mcp.Tool) -> Tool:
    hints = tool.annotations or mcp.ToolAnnotations()
    reads = hints.read_only_hint is True
    title = tool.title or hints.title or tool.name
    return Tool(
        id=tool_id(server, tool.name),
        name=bounded(title, LONGEST_NAME),
        description=bounded(tool.description or title, LONGEST_DESCRIPTION),
        parameters=without_patterns(tool.input_schema),
        result=None if tool.output_schema is None else without_patterns(tool.output_schema),
        roles=frozenset(entry.roles or EVERYBODY),
        calls_per_minute=entry.calls_per_minute,
        calls_per_hour=entry.calls_per_hour,
        timeout=entry.timeout,
        idempotent=reads or hints.idempotent_hint is True,
        side_effects=SideEffects.SIDE_EFFECTS_NONE if reads else SideEffects.SIDE_EFFECTS_BEYOND,
        approval=_approval(entry.approval, reads),
        source=ToolSource.TOOL_SOURCE_MCP,
    )


def _approval(stated: str, reads: bool) -> ApprovalPolicy.ValueType:
    if stated == "never" or (stated == "unless_read_only" and reads):
        return ApprovalPolicy.APPROVAL_POLICY_NEVER
    return ApprovalPolicy.APPROVAL_POLICY_ALWAYS
