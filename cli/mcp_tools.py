"""Tools of the mesh and what they give, in the words of MCP. Pure."""

import json
import re
from collections.abc import Iterable
from typing import Any

import mcp_types as mcp

from cli.tool_notes import harmless
from kari.conversation_models.v1.tool_pb2 import SideEffects, Tool, ToolResult, ToolSource
from kari.errors.v1.errors_pb2 import ErrorEnvelope

NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""What MCP recommends for names; every id of a tool that is not longer is one."""


def offered(tools: Iterable[Tool]) -> list[mcp.Tool]:
    """The tools that can be called just now. Those of MCP servers are left out: whoever wants them
    connects to their server, and a mesh that is connected to itself does not offer its own for
    ever."""
    return [
        _tool(tool)
        for tool in tools
        if tool.available and tool.source != ToolSource.TOOL_SOURCE_MCP and NAME.fullmatch(tool.id)
    ]


def result_of(result: ToolResult, *, structured: bool) -> mcp.CallToolResult:
    """What a call came to. Of a tool with a schema (`structured`), a result that was cut does not
    fit it any more, and is told as an error with what is left of it."""
    if not result.success:
        return failure(complaint_of(result.error))
    value = json.loads(result.result_json)
    text = value if isinstance(value, str) else result.result_json
    if result.truncated:
        text += "\n(The result was longer; its rest was left out.)"
    return mcp.CallToolResult(
        content=[mcp.TextContent(text=text)],
        structured_content=value if isinstance(value, dict) and not result.truncated else None,
        is_error=result.truncated and structured,
    )


def failure(text: str) -> mcp.CallToolResult:
    """A call that did not do what it was asked."""
    return mcp.CallToolResult(content=[mcp.TextContent(text=text)], is_error=True)


def complaint_of(error: ErrorEnvelope) -> str:
    """An error with the fields that were wrong, when to come again, and where the logs have it."""
    lines = [error.message, *(f"{v.field}: {v.description}" for v in error.violations)]
    if error.HasField("retry_after"):
        lines.append(f"Try again in {error.retry_after.ToTimedelta().total_seconds():g} s.")
    if error.correlation_id:
        lines.append(f"({error.correlation_id})")
    return "\n".join(lines)


def question_of(tool_id: str, arguments: str) -> str:
    """What the user is asked before a tool runs, with the arguments in full: they are what is
    allowed."""
    shown = harmless(arguments)
    return f"Kari asks before it runs the tool {tool_id}. Allow this call?\n{shown}"


def _tool(tool: Tool) -> mcp.Tool:
    return mcp.Tool(
        name=tool.id,
        title=tool.name or None,
        description=tool.description,
        input_schema=json.loads(tool.parameters_schema),
        output_schema=schema_of(tool),
        annotations=mcp.ToolAnnotations(
            read_only_hint=tool.side_effects == SideEffects.SIDE_EFFECTS_NONE,
            destructive_hint=tool.side_effects
            not in (SideEffects.SIDE_EFFECTS_NONE, SideEffects.SIDE_EFFECTS_CONVERSATION),
            idempotent_hint=tool.idempotent,
        ),
    )


def schema_of(tool: Tool) -> dict[str, Any] | None:
    """The schema of the result, where it is one that MCP can tell: that of an object."""
    schema = json.loads(tool.result_schema) if tool.result_schema else None
    return schema if isinstance(schema, dict) and schema.get("type") == "object" else None
