"""Asking for tools and calling them, one turn's or one user's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc
import structlog

from kari.conversation_models.v1.tool_pb2 import Tool, ToolCall, ToolProgress, ToolResult
from kari.errors.v1.errors_pb2 import Reason
from kari.tool_integration.v1.tool_integration_pb2 import CallToolRequest, ListToolsRequest
from servers.chat_orchestrator.peers import Peers
from servers.chat_orchestrator.step import no_time
from servers.runtime.errors import Conflict, KariError, Unavailable, from_rpc

PAGE = 200
MOST_PAGES = 10
MOST_PROGRESS = 2_000
"""Events of one call that are passed on; a tool that says more is not stopped for it."""
MOST_PROGRESS_CHARACTERS = 500_000

log = structlog.get_logger("kari.chat_orchestrator")


@dataclass(frozen=True)
class Unheard:
    """A call whose end its registry did not tell, and why: a tool without progress says nothing
    before its end, so it may have run."""

    error: KariError


async def list_tools(peers: Peers) -> list[Tool]:
    """The tools that the caller may use and that can be called now. KariError if nobody knows."""
    found, token = list[Tool](), ""
    try:
        for _ in range(MOST_PAGES):
            request = ListToolsRequest(page_size=PAGE, page_token=token)
            page = await peers.tools.ListTools(request)
            found += page.tools
            token = page.next_page_token
            if not token:
                break
    except grpc.aio.AioRpcError as failure:
        raise from_rpc(failure) from failure
    return [tool for tool in found if tool.available]


async def call_tool(
    peers: Peers,
    request: CallToolRequest,
    begun: Callable[[], None],
    progress: Callable[[ToolProgress], None],
    seconds: float,
) -> ToolResult | Tool | Unheard:
    """Calls a tool that has so many seconds: what came of it, or the tool if its user has to be
    asked first. `begun` is told that the tool runs, or was refused, before any progress and before
    the result. Cancelling this cancels the tool."""
    said = _Progress(progress)
    call = peers.tools.CallTool(request, timeout=seconds)
    try:
        async for response in call:
            kind = response.WhichOneof("event")
            if kind == "approval_required":
                return response.approval_required.tool
            begun()
            if kind == "finished":
                return _of_call(response.finished, request.call)
            said.tell(response.progress, request.call)
    except grpc.aio.AioRpcError as failure:
        error = from_rpc(failure)
        log.warning("tool could not be called", tool=request.call.tool_id, error=error.message)
        begun()
        return Unheard(_as_seen_by_the_model(error))
    finally:
        call.cancel()
    begun()
    return Unheard(_cut_off())


def request_of(
    call: ToolCall,
    *,
    conversation_id: str = "",
    turn_id: str = "",
    allowed: Sequence[str] = (),
    approved: bool = False,
) -> CallToolRequest:
    """The call of a tool for a model or a user: no tool is around it."""
    return CallToolRequest(
        call=call,
        conversation_id=conversation_id,
        turn_id=turn_id,
        allowed_tool_ids=allowed,
        approved=approved,
    )


class _Progress:
    """Passes on what a tool says of its progress, within bounds."""

    def __init__(self, tell: Callable[[ToolProgress], None]) -> None:
        self._tell = tell
        self._events = 0
        self._characters = 0

    def tell(self, progress: ToolProgress, call: ToolCall) -> None:
        self._events += 1
        self._characters += len(progress.text) + len(progress.message)
        if self._events > MOST_PROGRESS or self._characters > MOST_PROGRESS_CHARACTERS:
            if self._events == MOST_PROGRESS + 1:
                log.warning("tool says too much of its progress", tool=call.tool_id)
            return
        progress.call_id = call.id
        self._tell(progress)


def _of_call(result: ToolResult, call: ToolCall) -> ToolResult:
    result.call_id, result.tool_id = call.id, call.tool_id
    return result


def _as_seen_by_the_model(error: KariError) -> KariError:
    if error.reason == Reason.REASON_SERVER_UNAVAILABLE:
        return Unavailable(Reason.REASON_TOOL_UNAVAILABLE, "tools cannot be called just now")
    if error.reason == Reason.REASON_DEADLINE:
        return no_time()
    return error


def _cut_off() -> Conflict:
    return Conflict(Reason.REASON_TOOL_FAILED, "the tool ended without a result")
