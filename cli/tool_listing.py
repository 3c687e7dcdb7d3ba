"""`kari tools` and `kari capsule list`: tools, one a line, or one of them in full."""

import json
import re
import sys
from collections.abc import Iterable

from google.protobuf import json_format
from rich.console import Console
from rich.table import Table

from cli.mesh import Mesh
from cli.tool_notes import harmless
from kari.chat_hub.v1.chat_hub_pb2 import ListToolsRequest, ListToolsResponse
from kari.conversation_models.v1.tool_pb2 import ApprovalPolicy, SideEffects, Tool
from servers.runtime.names import short

_SENTENCE = re.compile(r".*?[.!?](?=\s|$)", re.DOTALL)


async def show(mesh: Mesh, tool_id: str, *, as_json: bool) -> int:
    """Prints the tools that the user may call, or one of them in full; gives the exit code."""
    found = await every_tool(mesh)
    if tool_id:
        kept = [tool for tool in found.tools if tool.id == tool_id]
        if not kept:
            sys.stderr.write(f"there is no tool `{harmless(tool_id)}`; `kari tools` lists them\n")
            return 1
        found = ListToolsResponse(tools=kept)
    if as_json:
        sys.stdout.write(json_format.MessageToJson(found, ensure_ascii=False) + "\n")
    elif tool_id:
        sys.stdout.write(in_full(found.tools[0]))
    else:
        print_table("tool", found.tools)
    return 0


async def every_tool(mesh: Mesh) -> ListToolsResponse:
    """All pages as one."""
    found, token = ListToolsResponse(), ""
    while True:
        page = await mesh.hub.ListTools(ListToolsRequest(page_size=200, page_token=token))
        found.tools.extend(page.tools)
        token = page.next_page_token
        if not token:
            return found


def print_table(head: str, tools: Iterable[Tool]) -> None:
    """The tools by id: what each does in a sentence, and whether it asks or cannot be called."""
    table = Table(head, "what it does", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for tool in tools:
        told = [harmless(first_sentence(tool.description)), _remark(tool)]
        table.add_row(harmless(tool.id), "\n".join(filter(None, told)))
    Console(highlight=False, markup=False).print(table)


def first_sentence(text: str) -> str:
    """The beginning of a description."""
    found = _SENTENCE.match(text)
    return " ".join((found.group() if found else text).split())


def in_full(tool: Tool) -> str:
    """Everything that is known of a tool, for people."""
    limits = ((tool.calls_per_minute, "a minute"), (tool.calls_per_hour, "an hour"))
    head = (f"{tool.id}  {tool.name}", tool.description, _remark(tool))
    lines = (
        *filter(None, head),
        "",
        f"roles         {', '.join(tool.roles)}",
        f"calls         {', '.join(f'{n} {per}' for n, per in limits if n) or 'no limit'}",
        f"time          {tool.timeout.ToNanoseconds() / 1e9:g} s",
        f"changes       {short(SideEffects, tool.side_effects)}",
        f"arguments     {_pretty(tool.parameters_schema)}",
    )
    return harmless("\n".join(lines)) + "\n"


def _pretty(schema: str) -> str:
    return json.dumps(json.loads(schema), ensure_ascii=False, indent=2)


def _remark(tool: Tool) -> str:
    if not tool.available:
        return f"unavailable: {harmless(tool.unavailable_because)}"
    return "asks first" if tool.approval != ApprovalPolicy.APPROVAL_POLICY_NEVER else ""
