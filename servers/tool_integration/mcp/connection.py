"""One connection to an MCP server: from the first message to the end, whoever ends it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import mcp_types as mcp
from mcp.client import Client, IncomingMessage, Transport
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.dispatcher import ProgressFnT
from mcp.shared.exceptions import MCPError
from pydantic import TypeAdapter, ValidationError

from servers.tool_integration.mcp.ending import Ending

LIST_SECONDS = 15.0
MOST_PAGES = 50
LISTEN_AGAIN_SECONDS = 5.0
ANSWER: TypeAdapter[mcp.CallToolResult | mcp.InputRequiredResult] = TypeAdapter(
    mcp.CallToolResult | mcp.InputRequiredResult
)


class Refused(Exception):
    """The server said no to a call; the message is its own."""


class Lost(Exception):
    """The connection ended before the answer came."""


class Misbehaved(Exception):
    """The answer is nothing that MCP allows; the message says what."""


class Connection:
    """A server that can be called. `changed` is set when its list of tools may be another one."""

    def __init__(self, client: Client, ending: Ending, changed: asyncio.Event) -> None:
        self._client = client
        self.ending = ending
        self.changed = changed

    async def tools(self) -> Sequence[mcp.Tool]:
        """The list of its tools, all pages of it. TimeoutError if that takes too long, Misbehaved
        if it never ends."""
        found: list[mcp.Tool] = []
        cursor: str | None = None
        async with asyncio.timeout(LIST_SECONDS):
            for _ in range(MOST_PAGES):
                page = await self._page(cursor)
                found.extend(page.tools)
                cursor = page.next_cursor
                if cursor is None:
                    return found
        raise Misbehaved(f"its list of tools has more than {MOST_PAGES} pages")

    async def _page(self, cursor: str | None) -> mcp.ListToolsResult:
        try:
            return await self._client.list_tools(cursor=cursor)
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise Misbehaved(f"its list of tools is not MCP at `{place[:200]}`") from error

    async def call(
        self, name: str, arguments: Mapping[str, Any], report: ProgressFnT
    ) -> mcp.CallToolResult:
        """Calls a tool by the server's own name for it. Cancelling it tells the server so. Lost,
        Refused or Misbehaved if there is no result."""
        params = mcp.CallToolRequestParams(name=name, arguments=dict(arguments))
        request = mcp.CallToolRequest(params=params)
        try:
            # Not `call_tool`, which checks the result by the server's own regular expressions.
            answer = await self._client.session.send_request(
                request, ANSWER, progress_callback=report
            )
        except MCPError as error:
            if error.error.code == mcp.CONNECTION_CLOSED:
                raise Lost from error
            raise Refused(error.error.message) from error
        except (ValidationError, ValueError) as error:
            raise Misbehaved("its answer is no result of a tool") from error
        if isinstance(answer, mcp.InputRequiredResult):
            raise Misbehaved("it asks the user or the model something, which Kari refuses")
        return answer

    async def follow(self) -> None:
        """Sets `changed` whenever the server says that its list changed, and when that could not be
        heard for a while. Returns if it is not one that says so in the new way."""
        while True:
            try:
                async with self._client.listen(tools_list_changed=True) as subscription:
                    async for _ in subscription:
                        self.changed.set()
            except (ListenNotSupportedError, MCPError):
                return
            except SubscriptionLost:
                self.changed.set()
            await asyncio.sleep(LISTEN_AGAIN_SECONDS)


@asynccontextmanager
async def connected(
    transport: Transport, ending: Ending, *, start_timeout: float, probe: bool, version: str
) -> AsyncIterator[Connection]:
    """A connection over a transport, for the block. TimeoutError if the server does not answer in
    time; whatever the SDK raises if it answers rubbish or goes away. It is offered no sampling, no
    elicitation and no roots, and gets an error if it asks all the same."""
    changed = asyncio.Event()
    client = Client(
        transport,
        mode="auto" if probe else "legacy",
        client_info=mcp.Implementation(name="kari", version=version),
        message_handler=partial(_heard, changed),
        cache=None,
    )
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(start_timeout):
            await stack.enter_async_context(client)
        yield Connection(client, ending, changed)


async def _heard(changed: asyncio.Event, message: IncomingMessage) -> None:
    if isinstance(message, mcp.ToolListChangedNotification):
        changed.set()
