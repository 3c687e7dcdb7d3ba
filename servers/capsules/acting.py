"""Tools that a run calls: only those on its manifest's list, which the registry is told as well."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kari.conversation_models.v1.tool_pb2 import Tool, ToolCall, ToolProgress, ToolResult
from kari.errors.v1.errors_pb2 import Reason
from kari.tool_integration.v1.tool_integration_pb2 import (
    CallToolRequest,
    CallToolResponse,
    ListToolsRequest,
)
from servers.capsules.failing import PeerFailed, as_skill_errors, refused
from servers.capsules.run import Run
from servers.capsules.skill import SkillError
from servers.runtime.errors import Forbidden, Unavailable, from_envelope
from servers.runtime.ids import new_id

if TYPE_CHECKING:
    from kari.tool_integration.v1.tool_integration_pb2_grpc import ToolIntegrationServiceAsyncStub

LARGEST_ARGUMENTS = 200_000
PAGE = 200


class Acting:
    """Calls tools for one run, in its user's name."""

    def __init__(self, tools: "ToolIntegrationServiceAsyncStub", run: Run) -> None:
        self._tools = tools
        self._run = run

    async def call(self, tool_id: str, arguments: Mapping[str, Any]) -> Any:
        """What the tool gives; SkillError if it is not on the list, is refused or fails."""
        if tool_id not in self._run.manifest.allowed_tools:
            self._run.deny("tool", tool_id)
            raise refused(f"the manifest does not have `{tool_id[:200]}` among its allowed_tools")
        self._run.notes.used_tool(tool_id)
        with as_skill_errors():
            call = self._tools.CallTool(self._request(tool_id, arguments))
            try:
                async for step in call:
                    if step.HasField("progress"):
                        await self._run.tell(ToolProgress(message=step.progress.message))
                    elif step.WhichOneof("event"):
                        return _value(tool_id, step)
            finally:
                call.cancel()
        raise SkillError("REASON_TOOL_FAILED", f"`{tool_id}` ended without a result")

    async def tools(self) -> list[dict[str, Any]]:
        """Those of the list that the registry has for this user, by id."""
        found, token = list[Tool](), ""
        with as_skill_errors():
            while True:
                request = ListToolsRequest(page_size=PAGE, page_token=token)
                page = await self._tools.ListTools(request)
                found += page.tools
                if not (token := page.next_page_token):
                    break
        allowed = self._run.manifest.allowed_tools
        return [_told(tool) for tool in found if tool.id in allowed]

    def _request(self, tool_id: str, arguments: Mapping[str, Any]) -> CallToolRequest:
        text = json.dumps(dict(arguments), ensure_ascii=False)
        if len(text) > LARGEST_ARGUMENTS:
            raise SkillError("REASON_TOO_LARGE", f"the arguments for `{tool_id}` are too large")
        return CallToolRequest(
            call=ToolCall(id=new_id("call"), tool_id=tool_id, arguments_json=text),
            conversation_id=self._run.conversation_id,
            turn_id=self._run.turn_id,
            allowed_tool_ids=self._run.manifest.allowed_tools,
            depth=self._run.depth + 1,
        )


def _told(tool: Tool) -> dict[str, Any]:
    return {
        "id": tool.id,
        "description": tool.description,
        "parameters": json.loads(tool.parameters_schema or "{}"),
        "idempotent": tool.idempotent,
        "available": tool.available,
        "unavailable_because": tool.unavailable_because,
    }


def _value(tool_id: str, step: CallToolResponse) -> Any:
    if step.HasField("approval_required"):
        raise PeerFailed(
            Forbidden(
                Reason.REASON_APPROVAL_REQUIRED,
                f"`{tool_id}` needs the user's word, which a capsule cannot ask for; "
                "the user can call it by itself",
            )
        )
    result: ToolResult = step.finished
    if not result.success:
        raise PeerFailed(from_envelope(result.error))
    try:
        value = json.loads(result.result_json)
        # Half a character, written as an escape, is JSON and no text that could be sent on.
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError as error:
        raise PeerFailed(
            Unavailable(Reason.REASON_TOOL_RESULT, f"`{tool_id}` gave no JSON", retryable=False)
        ) from error
    return value
