"""A real MCP server for tests, made with the SDK: `python -m tests.tool_integration.mcp.provided`,
over stdio, or over streamable HTTP with a port as argument."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as mcp
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.utilities.types import Image
from pydantic import BaseModel

READS = mcp.ToolAnnotations(read_only_hint=True)
server = MCPServer("provided", log_level="ERROR")


class Sum(BaseModel):
    """A sum."""

    total: int


class Answer(BaseModel):
    """What a user is asked for."""

    name: str


@server.tool(annotations=READS)
def add(a: int, b: int) -> Sum:
    """Adds two numbers."""
    return Sum(total=a + b)


@server.tool()
def shout(text: str) -> str:
    """Says it louder."""
    return text.upper()


@server.tool(annotations=READS)
async def count(context: Context[Any, Any], to: int) -> str:
    """Counts, and says how far it is."""
    for number in range(1, to + 1):
        await context.report_progress(number, to, f"at {number}")
    return f"counted to {to}"


@server.tool()
async def wait(path: str) -> str:
    """Waits for ever; writes into a file that it was told to stop."""
    file = Path(path)
    try:
        file.write_text("waiting")  # noqa: ASYNC240
        await anyio.sleep_forever()
    except anyio.get_cancelled_exc_class():
        file.write_text("cancelled")  # noqa: ASYNC240
        raise
    return ""


@server.tool()
def fail() -> str:
    """Fails."""
    raise mcp_error("there is no such issue")


@server.tool(structured_output=False)
def draw() -> list[Any]:
    """Draws."""
    return ["a dot:", Image(data=b"\x89PNG", format="png")]


@server.tool()
def say_much(size: int) -> str:
    """Says much."""
    return "x" * size


@server.tool()
def die() -> str:
    """Ends the process."""
    os._exit(3)


@server.tool()
def environment() -> dict[str, str]:
    """What the process was given."""
    return dict(os.environ)


@server.tool()
async def ask(context: Context[Any, Any]) -> str:
    """Asks the user something."""
    found = await context.elicit("who are you?", Answer)
    return str(found)


@server.tool()
async def grow(context: Context[Any, Any], name: str) -> str:
    """Gets another tool."""

    def more() -> str:
        return "more"

    server.add_tool(more, name=name, description="Was not there before.")
    await context.notify_tools_changed()
    await context.session.send_tool_list_changed()
    return "grown"


@server.tool(name="with space")
def with_space() -> str:
    """Has a name that is no id."""
    return "spacious"


def mcp_error(text: str) -> Exception:
    """An error whose text the server tells."""
    from mcp.server.mcpserver.exceptions import ToolError

    return ToolError(text)


def main() -> None:
    """Serves until its input ends, or it is killed."""
    if len(sys.argv) > 1:
        asyncio.run(server.run_streamable_http_async(port=int(sys.argv[1])))
    else:
        server.run()


if __name__ == "__main__":
    main()
