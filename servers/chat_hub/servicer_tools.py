"""The hub over gRPC, as to tools: translates only."""

from collections.abc import AsyncGenerator

from kari.chat_hub.v1 import chat_hub_pb2 as hub
from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceServicer
from kari.chat_orchestrator.v1 import chat_orchestrator_pb2 as orchestrator
from kari.conversation_manager.v1 import conversation_manager_pb2 as conversations
from servers.chat_hub.peers import Peers
from servers.runtime.grpc_types import Context


class Tools(ChatHubServiceServicer):
    """Passes on what callers ask of tools; see the contract for every method."""

    _peers: Peers

    async def ListTools(
        self, request: hub.ListToolsRequest, context: Context
    ) -> hub.ListToolsResponse:
        """A page of the tools."""
        response = await self._peers.orchestrator.ListTools(
            orchestrator.ListToolsRequest(
                page_size=request.page_size, page_token=request.page_token
            )
        )
        return hub.ListToolsResponse(tools=response.tools, next_page_token=response.next_page_token)

    async def CallTool(
        self, request: hub.CallToolRequest, context: Context
    ) -> AsyncGenerator[hub.CallToolResponse, None]:
        """Calls a tool, for a conversation only if the caller takes part in it."""
        if request.conversation_id:
            await self._peers.conversations.GetConversation(
                conversations.GetConversationRequest(conversation_id=request.conversation_id)
            )
        call = self._peers.orchestrator.CallTool(
            orchestrator.CallToolRequest(
                tool_id=request.tool_id,
                arguments_json=request.arguments_json,
                conversation_id=request.conversation_id,
                approved=request.approved,
            )
        )
        try:
            async for step in call:
                if step.HasField("finished"):
                    yield hub.CallToolResponse(finished=step.finished)
                else:
                    yield hub.CallToolResponse(progress=step.progress)
        finally:
            call.cancel()

    async def AnswerApproval(
        self, request: hub.AnswerApprovalRequest, context: Context
    ) -> hub.AnswerApprovalResponse:
        """Passes an answer on, of who takes part in the conversation of the turn."""
        await self._peers.conversations.GetTurn(
            conversations.GetTurnRequest(turn_id=request.turn_id)
        )
        response = await self._peers.orchestrator.AnswerApproval(
            orchestrator.AnswerApprovalRequest(
                turn_id=request.turn_id, call_id=request.call_id, approved=request.approved
            )
        )
        held = response.approved if response.HasField("approved") else None
        return hub.AnswerApprovalResponse(turn=response.turn, approved=held)
