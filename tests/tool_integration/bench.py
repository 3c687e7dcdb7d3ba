"""A workbench: tool integration with a real trail, called as the orchestrator does."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kari.audit.v1.audit_pb2 import ListRecordsRequest, Record
from kari.audit.v1.audit_pb2_grpc import AuditServiceStub
from kari.conversation_models.v1.tool_pb2 import Tool, ToolCall, ToolResult
from kari.tool_integration.v1.tool_integration_pb2 import (
    CallToolRequest,
    CallToolResponse,
    ListToolsRequest,
)
from kari.tool_integration.v1.tool_integration_pb2_grpc import ToolIntegrationServiceStub
from servers.runtime.channels import Channels
from servers.runtime.ids import new_id
from servers.runtime.mesh_key import OPERATOR
from servers.wiring import Wiring, contract_of
from tests.hosting import Somebody, until


@dataclass
class Bench:
    """Somebody who calls tools."""

    wiring: Wiring
    somebody: Somebody = field(default_factory=Somebody)
    caller: str = "chat_orchestrator"

    async def call(self, tool_id: str, arguments: Any = None, **more: Any) -> ToolResult:
        """What a call came to."""
        last = (await self.events(tool_id, arguments, **more))[-1]
        assert last.WhichOneof("event") == "finished", last
        return last.finished

    async def value(self, tool_id: str, **arguments: Any) -> Any:
        """What a call that goes well gives."""
        result = await self.call(tool_id, arguments)
        assert result.success, result
        return json.loads(result.result_json)

    async def events(
        self, tool_id: str, arguments: Any = None, *, seconds: float | None = None, **more: Any
    ) -> list[CallToolResponse]:
        """Every event of a call that has so many seconds. Arguments that are text are sent as they
        are."""
        text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
        call = ToolCall(id=new_id("call"), tool_id=tool_id, arguments_json=text)
        stub = self.wiring.stub(self.caller, "tool_integration", ToolIntegrationServiceStub)
        with self.somebody.acts(self.wiring):
            request = CallToolRequest(call=call, **more)
            return [event async for event in stub.CallTool(request, timeout=seconds)]

    async def tools(self) -> dict[str, Tool]:
        """The tools that somebody sees, by id."""
        stub = self.wiring.stub(self.caller, "tool_integration", ToolIntegrationServiceStub)
        with self.somebody.acts(self.wiring):
            listed = await stub.ListTools(ListToolsRequest(page_size=200))
        return {tool.id: tool for tool in listed.tools}

    def with_roles(self, *roles: str) -> "Bench":
        """The same bench for another user."""
        return Bench(self.wiring, Somebody(roles=frozenset(roles)), self.caller)

    async def records(self, count: int, action: str = "") -> Sequence[Record]:
        """The trail's records of this user, of actions that begin so, once there are so many."""
        channels = Channels(
            OPERATOR, frozenset({"audit"}), self.wiring.address_of, self.wiring.mesh_key
        )
        stub = AuditServiceStub(channels.to("audit", contract_of("audit")))

        request = ListRecordsRequest(
            user_id=self.somebody.user_id, action_prefix=action, page_size=200
        )

        async def enough() -> Sequence[Record] | None:
            found = (await stub.ListRecords(request)).records
            return found if len(found) >= count else None

        try:
            found = await until(enough, 10.0)
        finally:
            await channels.close()
        return found or ()
