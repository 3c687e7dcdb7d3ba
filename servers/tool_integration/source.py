"""Where tools come from: Kari itself, capsules, MCP servers."""

from collections.abc import Sequence
from typing import Protocol

from servers.tool_integration.tool import Offer


class Source(Protocol):
    """Something that has tools. The registry asks it on every call, in the caller's name: what it
    says comes from memory, but for a look now and then.

    Changes are followed by what it says: it gives the same sequence, the very object, for as long
    as nothing changed, and another one when a tool came, went, became unavailable or available
    again. A tool whose server is away stays, as unavailable; it goes when its server says so."""

    async def offers(self) -> Sequence[Offer]:
        """The tools it has for the caller, each id once. Never raises for want of a peer."""

    async def settle(self, tool_id: str) -> None:
        """Waits a moment if the tool would be its own and it does not know yet what it has."""

    def unknown(self, tool_id: str) -> str:
        """Why it cannot say whether the caller has the tool; empty if it can, or if the tool would
        be another source's."""
