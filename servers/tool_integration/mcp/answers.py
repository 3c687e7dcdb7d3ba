"""What a tool of an MCP server gave, as JSON and as text. Pure."""

from typing import Any

import mcp_types as mcp

from servers.tool_integration.mcp.describing import bounded

LONGEST_ERROR = 1000


def json_of(result: mcp.CallToolResult) -> Any:
    """The structured content of a result if it has one, else its text, where images, sound and
    files are said to be there."""
    if result.structured_content is not None:
        return result.structured_content
    return "\n".join(text_of(block) for block in result.content)


def complaint_of(result: mcp.CallToolResult) -> str:
    """What a result that is an error says."""
    said = "\n".join(text_of(block) for block in result.content).strip()
    return bounded(said, LONGEST_ERROR) or "the tool failed and does not say why"


def text_of(block: mcp.ContentBlock) -> str:
    """One piece of a result as text."""
    match block:
        case mcp.TextContent():
            return block.text
        case mcp.ImageContent() | mcp.AudioContent():
            kind = "image" if isinstance(block, mcp.ImageContent) else "sound"
            return f"[{kind}, {_type(block.mime_type)}, {_size(block.data)}; not shown]"
        case mcp.ResourceLink():
            return f"[file {bounded(block.name, 200)} at {bounded(str(block.uri), 500)}; not read]"
        case mcp.EmbeddedResource():
            return _embedded(block)
    return "[something of a kind that is not known]"


def _embedded(block: mcp.EmbeddedResource) -> str:
    resource, uri = block.resource, bounded(str(block.resource.uri), 500)
    if isinstance(resource, mcp.TextResourceContents):
        return f"[file {uri}]\n{resource.text}"
    return f"[file {uri}, {_type(resource.mime_type)}, {_size(resource.blob)}; not shown]"


def _type(mime_type: str | None) -> str:
    return bounded(mime_type or "of a type not stated", 100)


def _size(base64: str) -> str:
    return f"{len(base64) * 3 // 4} bytes"
