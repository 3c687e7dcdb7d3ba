"""`kari capsule list`, `runs` and `run`: capsules of a running mesh, as a user has them."""

import json
import sys
from datetime import UTC
from pathlib import Path

import click

from cli.mesh import Mesh
from cli.tool_listing import every_tool, print_table
from cli.tool_notes import harmless
from cli.tools import call
from kari.capsules.v1.capsules_pb2 import ListRunsRequest
from kari.chat_hub.v1.chat_hub_pb2 import CallToolRequest
from kari.conversation_models.v1.tool_pb2 import ToolSource

RESUME = "resume_run_id"


async def show(mesh: Mesh) -> int:
    """Prints the capsules."""
    found = (await every_tool(mesh)).tools
    print_table(
        "capsule", (tool for tool in found if tool.source == ToolSource.TOOL_SOURCE_CAPSULE)
    )
    return 0


async def show_runs(mesh: Mesh) -> int:
    """Prints the last runs, a line each."""
    for run in (await mesh.capsules.ListRuns(ListRunsRequest())).runs:
        when = run.updated_at.ToDatetime(tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        rest = "is under way" if run.under_way else "is done" if run.ended else "can go on"
        told = (run.id, run.capsule_id, when, f"{run.checkpoints} kept", rest)
        sys.stdout.write("  ".join(map(harmless, told)) + "\n")
    return 0


async def run_capsule(mesh: Mesh, request: CallToolRequest) -> int:
    """Runs one to its end; gives the exit code."""
    return await call(mesh, request)


def arguments(given: str, resume: str) -> str:
    """The input as JSON text, with the run to go on with. UsageError if it is no object."""
    text = _file(given[1:]) if given.startswith("@") else given
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise click.UsageError(f"--input is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.UsageError("--input is no JSON object")
    return json.dumps(found | {RESUME: resume} if resume else found)


def _file(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--input: {name} cannot be read: {error}") from None
