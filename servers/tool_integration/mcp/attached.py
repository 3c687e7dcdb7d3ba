"""The MCP servers of the tools file, or none."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from servers.tool_integration.mcp.configuration import McpServerEntry
from servers.tool_integration.source import Source
from servers.tool_integration.tool import Offer


class Attached(Source, Protocol):
    """A source of tools that has to be kept running."""

    async def run(self) -> None:
        """Runs until cancelled."""

    async def close(self) -> None:
        """Returns when nothing of it is left; after `run`."""


class NoServers:
    """Without MCP servers."""

    async def offers(self) -> Sequence[Offer]:
        """None, always the same."""
        return ()

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
