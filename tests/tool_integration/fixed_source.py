"""A source whose tools never change."""

from collections.abc import Sequence

from servers.tool_integration.tool import Offer


class Fixed:
    """Tools that are there from the start to the end."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self._offers = tuple(offers)

    async def offers(self) -> Sequence[Offer]:
        """All of them."""
        return self._offers

    async def settle(self, tool_id: str) -> None:
        """It knows its tools from the start."""

    def unknown(self, tool_id: str) -> str:
        """It knows its tools from the start."""
        return ""
