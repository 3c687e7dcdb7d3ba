"""The MCP servers of the tools file, or none."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from servers.tool_integration.mcp.configuration import McpServerEntry
from servers.tool_integration.source import Source
from servers.tool_integration.tool import Offer


class Attached(Source, Protocol):
    """A source of tools that has to be kept running."""

    @property
    def names(self) -> Sequence[str]:
        """Of what it is attached to."""

    def health(self, name: str) -> AbstractAsyncContextManager[str]:
        """One of them as a resource, for health."""

    async def ping(self, name: str) -> None:
        """Unavailable, with the reason, if one of them cannot be called."""

    async def run(self) -> None:
        """Runs until cancelled."""

    async def close(self) -> None:
        """Returns when nothing of it is left; after `run`."""


class NoServers:
    """Without MCP servers."""

    @property
    def names(self) -> Sequence[str]:
        """None."""
        return ()

    @asynccontextmanager
    async def health(self, name: str) -> AsyncIterator[str]:
        """There is none."""
        yield name

    async def ping(self, name: str) -> None:
        """There is none that could be away."""

    async def offers(self) -> Sequence[Offer]:
        """None, always the same."""
        return ()

    async def settle(self, tool_id: str) -> None:
        """There is nothing to wait for."""

    def unknown(self, tool_id: str) -> str:
        """It knows that it has none."""
        return ""

    async def run(self) -> None:
        """Nothing is to be done."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing was open."""


def mcp_servers(entries: Mapping[str, McpServerEntry]) -> Attached:
    """The servers of these entries. Misconfigured if a variable or a file that an entry names is
    not there."""
    if not any(entry.enabled for entry in entries.values()):
        return NoServers()
    # The SDK and what it brings cost a second; whoever has no servers does not pay it.
    from servers.tool_integration.mcp.servers import McpServers

    return McpServers(entries)
