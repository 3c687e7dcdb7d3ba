"""Tool integration over gRPC: translates only."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from kari.conversation_models.v1.tool_pb2 import ToolProgress, ToolResult
from kari.tool_integration.v1.tool_integration_pb2 import (
    ApprovalRequired,
    CallToolRequest,
    CallToolResponse,
    ListToolsRequest,
    ListToolsResponse,
)
from kari.tool_integration.v1.tool_integration_pb2_grpc import ToolIntegrationServiceServicer
from servers.runtime.call import current, principal
from servers.runtime.durations import duration
from servers.runtime.grpc_types import Context
from servers.tool_integration.calling import AskFirst, Calling, Finished, Step
from servers.tool_integration.checking import Asked
from servers.tool_integration.listing import Listing
from servers.tool_integration.tool import Invocation

MAY_APPROVE = "chat_orchestrator"
"""It asked the user; nobody else's word counts."""


class ToolIntegration(ToolIntegrationServiceServicer):
    """The one way to a tool: known, role, limit, schema, policy; then it runs, and is audited."""

    def __init__(self, listing: Listing, calling: Calling) -> None:
        self._listing = listing
        self._calling = calling

    async def ListTools(self, request: ListToolsRequest, context: Context) -> ListToolsResponse:
        """A page of the tools that the caller's roles allow; see the contract."""
        page = await self._listing.page(principal(), request.page_size, request.page_token)
        return ListToolsResponse(tools=page.tools, next_page_token=page.next_page_token)

    async def CallTool(
        self, request: CallToolRequest, context: Context
    ) -> AsyncIterator[CallToolResponse]:
        """Steps of a call; see the contract."""
        async with aclosing(self._calling.call(_asked(request))) as steps:
            async for step in steps:
                yield _response(request, step)


def _asked(request: CallToolRequest) -> Asked:
    return Asked(
        Invocation(
            request.call.id,
            request.call.tool_id,
            principal(),
            request.conversation_id,
            request.turn_id,
            request.depth,
        ),
        request.call.arguments_json,
        frozenset(request.allowed_tool_ids),
        approved=request.approved and current().caller == MAY_APPROVE,
    )


def _response(request: CallToolRequest, step: Step) -> CallToolResponse:
    if isinstance(step, ToolProgress):
        return CallToolResponse(progress=step)
    if isinstance(step, AskFirst):
        return CallToolResponse(approval_required=ApprovalRequired(tool=step.offer.message))
    return CallToolResponse(finished=_result(request, step))


def _result(request: CallToolRequest, finished: Finished) -> ToolResult:
    said = ToolResult(
        call_id=request.call.id,
        tool_id=request.call.tool_id,
        success=finished.error is None,
        duration=duration(finished.seconds),
    )
    if finished.result is not None:
        said.result_json, said.truncated = finished.result.text, finished.result.truncated
        if finished.result.metadata:
            said.metadata.update(finished.result.metadata)
    if finished.error is not None:
        said.error.CopyFrom(finished.error.envelope(current().correlation_id))
    return said
