"""`kari call` and `kari approve`: tools, called and allowed by hand."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

import grpc

from cli.mesh import Mesh, NotRunning, connected
from cli.tool_notes import answered_before, harmless, progress_note
from kari.chat_hub.v1.chat_hub_pb2 import (
    AnswerApprovalRequest,
    CallToolRequest,
)
from kari.conversation_models.v1.tool_pb2 import ToolResult
from servers.runtime.errors import from_rpc
from servers.runtime.settings import read_settings
from servers.runtime.tool_warnings import warnings_of


def run(work: Callable[[Mesh], Awaitable[int]], user: str, tenant: str) -> int:
    """Does something as a user; gives the exit code: 1 if it failed."""
    try:
        return asyncio.run(_as_user(work, user, tenant))
    except NotRunning as error:
        sys.stderr.write(f"{error}\n")
    except grpc.aio.AioRpcError as error:
        ours = from_rpc(error)
        sys.stderr.write(f"{ours.message}\n")
        for field, description in ours.violations:
            sys.stderr.write(f"  {field}: {description}\n")
    except KeyboardInterrupt:
        sys.stderr.write("\n")
    return 1


async def _as_user(work: Callable[[Mesh], Awaitable[int]], user: str, tenant: str) -> int:
    async with connected(read_settings()) as mesh:
        await mesh.sign_in(user, tenant)
        return await work(mesh)


async def call(mesh: Mesh, request: CallToolRequest) -> int:
    """Calls a tool: what it writes as it goes to standard error, its result to standard output. The
    exit code is 1 if it failed or was refused."""
    calling = mesh.hub.CallTool(request)
    result = ToolResult()
    try:
        async for response in calling:
            if response.HasField("finished"):
                result = response.finished
                continue
            sys.stderr.write(harmless(response.progress.text))
            if told := progress_note(response.progress):
                sys.stderr.write(f"({told})\n")
    finally:
        calling.cancel()
    return _print_result(result)


async def approve(mesh: Mesh, request: AnswerApprovalRequest) -> int:
    """Answers whether a tool may run; says which answer holds, which of several is the first, and
    what is still asked. The exit code is 1 if it is not this one."""
    response = await mesh.hub.AnswerApproval(request)
    before = answered_before(request, response)
    left = len(response.turn.pending_steps)
    rest = f"{left} more questions wait" if left else "the turn goes on"
    sys.stdout.write(f"{before or 'answered'}; {rest}\n")
    return 1 if before else 0


def _print_result(result: ToolResult) -> int:
    if not result.success:
        sys.stderr.write(f"{harmless(result.error.message)}\n")
        for violation in result.error.violations:
            sys.stderr.write(f"  {harmless(violation.field)}: {harmless(violation.description)}\n")
        if result.error.details.get("resumable") == "true":
            run_id = harmless(result.error.details["run_id"])
            sys.stderr.write(
                f"(it can go on: kari capsule run {result.tool_id} --resume {run_id})\n"
            )
        return 1
    for warning in warnings_of(result):
        sys.stderr.write(f"(warning: {harmless(warning)})\n")
    if result.truncated:
        sys.stderr.write("(the result was longer than allowed; its rest is left out)\n")
    sys.stdout.write(f"{_pretty(result.result_json)}\n")
    return 0


def _pretty(result_json: str) -> str:
    try:
        return harmless(json.dumps(json.loads(result_json), ensure_ascii=False, indent=2))
    except ValueError:  # one that was cut short
        return harmless(result_json)
