"""Tools outside of turns, for a user who calls them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import (
    CallToolRequest,
    CallToolResponse,
    ListToolsRequest,
    ListToolsResponse,
)
from kari.conversation_models.v1.tool_pb2 import Tool, ToolCall, ToolResult
from kari.errors.v1.errors_pb2 import Reason
from kari.tool_integration.v1 import tool_integration_pb2
from servers.chat_orchestrator.peers import Peers
from servers.chat_orchestrator.step import refused
from servers.chat_orchestrator.tooling import request_of
from servers.runtime.call import current
from servers.runtime.errors import Conflict, Unavailable, from_rpc
from servers.runtime.ids import new_id


class Outside:
    """Passes on what users ask of tools."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def list(self, request: ListToolsRequest) -> ListToolsResponse:
        """A page of the tools that the user may call."""
        page = await self._peers.tools.ListTools(
            tool_integration_pb2.ListToolsRequest(
                page_size=request.page_size, page_token=request.page_token
            )
        )
        return ListToolsResponse(tools=page.tools, next_page_token=page.next_page_token)

    async def call(self, request: CallToolRequest) -> AsyncGenerator[CallToolResponse, None]:
        """The steps of a call, the result last. Whoever stops reading ends the tool. One that asks
        is called twice where the user allows it in advance: so the call is counted."""
        call = ToolCall(
            id=new_id("call"),
            tool_id=request.tool_id,
            arguments_json=request.arguments_json or "{}",
        )
        asked = request_of(call, conversation_id=request.conversation_id)
        async with aclosing(self._steps(asked)) as steps:
            async for step in steps:
                if step.HasField("approval_required"):
                    break
                yield _passed_on(step)
            else:
                return
        if not request.approved:
            yield CallToolResponse(finished=_unasked(call, step.approval_required.tool))
            return
        asked.approved = True
        async with aclosing(self._steps(asked)) as steps:
            async for step in steps:
                yield _passed_on(step)

    async def _steps(
        self, request: tool_integration_pb2.CallToolRequest
    ) -> AsyncGenerator[tool_integration_pb2.CallToolResponse, None]:
        """The steps of a call up to the one that ends it."""
        steps = self._peers.tools.CallTool(request)
        try:
            async for step in steps:
                yield step
                if not step.HasField("progress"):
                    return
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            steps.cancel()
        raise Unavailable(Reason.REASON_SERVER_UNAVAILABLE, "the call was cut off on its way")


def _passed_on(step: tool_integration_pb2.CallToolResponse) -> CallToolResponse:
    if step.HasField("progress"):
        return CallToolResponse(progress=step.progress)
    return CallToolResponse(finished=step.finished)


def _unasked(call: ToolCall, tool: Tool) -> ToolResult:
    error = Conflict(
        Reason.REASON_APPROVAL_REQUIRED,
        f"{tool.name} asks before it runs; call it with `approved` if it may",
    )
    return refused(call, error, current().correlation_id)
