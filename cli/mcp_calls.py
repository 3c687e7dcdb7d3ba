"""Calls of the mesh's tools for one user, for as long as it takes: the token is renewed."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC

import grpc

from cli.mesh import Mesh, act_as
from kari.chat_hub.v1.chat_hub_pb2 import CallToolRequest, ListToolsRequest
from kari.conversation_models.v1.tool_pb2 import Tool, ToolProgress, ToolResult
from kari.identity.v1.identity_pb2 import IssueTokenResponse
from servers.runtime.errors import Unauthenticated, from_rpc

MARGIN = 0.5
"""Part of a token's life after which the next one is fetched."""

Report = Callable[[ToolProgress], Awaitable[None]]


class Calls:
    """What the user may call, and calls of it."""

    def __init__(self, mesh: Mesh, user: str, tenant: str) -> None:
        self._mesh = mesh
        self._user = user
        self._tenant = tenant
        self._account: IssueTokenResponse | None = None
        self._renew_at = 0.0

    async def tools(self) -> list[Tool]:
        """Every tool that the user's roles allow."""
        return [tool async for tool in self._pages()]

    async def call(
        self, tool_id: str, arguments: str, *, approved: bool, report: Report
    ) -> ToolResult:
        """Calls a tool. AioRpcError is an error of the mesh; what is wrong with the call or the
        tool is in the result. Cancelling it ends the tool."""
        await self._sign_in()
        request = CallToolRequest(tool_id=tool_id, arguments_json=arguments, approved=approved)
        call = self._mesh.hub.CallTool(request)
        result = ToolResult()
        try:
            async for step in call:
                if step.HasField("progress"):
                    await report(step.progress)
                else:
                    result = step.finished
        except grpc.aio.AioRpcError as error:
            self._note(error)
            raise
        finally:
            call.cancel()
        return result

    async def _pages(self) -> AsyncIterator[Tool]:
        await self._sign_in()
        request = ListToolsRequest(page_size=200)
        while True:
            try:
                page = await self._mesh.hub.ListTools(request)
            except grpc.aio.AioRpcError as error:
                self._note(error)
                raise
            for tool in page.tools:
                yield tool
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def _sign_in(self) -> None:
        """Acts as the user in this task, under a new correlation id."""
        if self._account is None or time.time() >= self._renew_at:
            self._account = await self._mesh.sign_in(self._user, self._tenant)
            now, ends = time.time(), self._account.tokens.expires_at
            self._renew_at = now + (ends.ToDatetime(tzinfo=UTC).timestamp() - now) * MARGIN
        act_as(self._account)

    def _note(self, error: grpc.aio.AioRpcError) -> None:
        """A token that is not good any more is not used again."""
        if isinstance(from_rpc(error), Unauthenticated):
            self._renew_at = 0.0
