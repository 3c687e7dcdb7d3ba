"""All MCP servers of the configuration, as one source of tools."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from mcp.client import Transport

from servers.tool_integration.mcp.configuration import McpServerEntry
from servers.tool_integration.mcp.connection import Connection, connected
from servers.tool_integration.mcp.ending import Ending
from servers.tool_integration.mcp.http import remote
from servers.tool_integration.mcp.leaving import Leaving
from servers.tool_integration.mcp.program import Program, headers_of, program_of
from servers.tool_integration.mcp.restarting import Uniform
from servers.tool_integration.mcp.server import Connect, McpServer
from servers.tool_integration.mcp.stdio import child
from servers.tool_integration.tool import Offer

VERSION = version("kari-chat")
FIRST_SECONDS = 5.0
"""How long a call waits for a server that is being started for the first time."""


class McpServers:
    """The servers and what they offer just now."""

    def __init__(
        self, entries: Mapping[str, McpServerEntry], *, uniform: Uniform = random.uniform
    ) -> None:
        """Misconfigured if a variable or a file that an entry names is not there."""
        self._leaving = Leaving()
        self._servers = tuple(
            McpServer(name, entry, connect_of(name, entry, self._leaving), uniform)
            for name, entry in entries.items()
            if entry.enabled
        )
        self._parts: tuple[Sequence[Offer], ...] = ()
        self._offers: Sequence[Offer] = ()

    async def offers(self) -> Sequence[Offer]:
        """Every tool of every server: the same sequence for as long as nothing changed."""
        parts = tuple(server.offers for server in self._servers)
        if any(a is not b for a, b in zip(parts, self._parts, strict=False)) or not self._parts:
            self._parts = parts
            self._offers = tuple(offer for part in parts for offer in part)
        return self._offers

    async def settle(self, tool_id: str) -> None:
        """See the protocol: the first attempt to start its server."""
        for server in self._servers:
            if server.unlisted and _is_of(tool_id, server):
                await server.tried_once(FIRST_SECONDS)

    def unknown(self, tool_id: str) -> str:
        """See the protocol: its server has not told its list since Kari was started."""
        whys = (server.unlisted for server in self._servers if _is_of(tool_id, server))
        return next(whys, "")

    @property
    def names(self) -> Sequence[str]:
        """Of the servers that are on."""
        return [server.name for server in self._servers]

    @asynccontextmanager
    async def health(self, name: str) -> AsyncIterator[str]:
        """A server as a resource, for health."""
        yield name

    async def ping(self, name: str) -> None:
        """Unavailable, with the reason, if a server cannot be called."""
        for server in self._servers:
            if server.name == name:
                server.require()

    async def run(self) -> None:
        """Keeps the servers running until cancelled, which ends all of them at once."""
        async with asyncio.TaskGroup() as tasks:
            for server in self._servers:
                tasks.create_task(server.run())
            await asyncio.Event().wait()

    async def close(self) -> None:
        """Returns when no process of theirs is left."""
        await self._leaving.gone()


def _is_of(tool_id: str, server: McpServer) -> bool:
    return tool_id.startswith(f"{server.name}.")


def connect_of(name: str, entry: McpServerEntry, leaving: Leaving) -> Connect:
    """How the server of an entry is connected to."""
    program = None if entry.command is None else program_of(name, entry)
    headers = headers_of(name, entry)

    def connect(ending: Ending) -> AbstractAsyncContextManager[Connection]:
        return connected(
            _transport(program, entry, headers, ending, leaving),
            ending,
            start_timeout=entry.start_timeout,
            probe=entry.handshake == "auto",
            version=VERSION,
        )

    return connect


def _transport(
    program: Program | None,
    entry: McpServerEntry,
    headers: Mapping[str, str],
    ending: Ending,
    leaving: Leaving,
) -> Transport:
    if program is None:
        return remote(str(entry.url), headers, ending)
    if not program.found():
        raise FileNotFoundError(program.argv[0])
    return child(program, ending, leaving)
