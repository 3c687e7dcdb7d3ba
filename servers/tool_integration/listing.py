"""The tools of a user, by pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from kari.conversation_models.v1.tool_pb2 import Tool
from servers.runtime import paging
from servers.runtime.call import Principal
from servers.tool_integration.registry import Registry


@dataclass(frozen=True)
class Page:
    """Some tools by id, and the token of the next page."""

    tools: Sequence[Tool]
    next_page_token: str = ""


class Listing:
    """Lists what the registry has."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def page(self, who: Principal, page_size: int, page_token: str) -> Page:
        """A page of those that the user's roles allow; unavailable ones among them, with the
        reason. InvalidRequest if the token is none."""
        (after,) = paging.place_of(page_token, str) or ("",)
        size = paging.size_of(page_size)
        left = [
            offer
            for offer in await self._registry.all()
            if offer.tool.id > str(after) and not who.missing(offer.tool.roles)
        ]
        shown = left[:size]
        token = paging.token_of(shown[-1].tool.id) if len(left) > size else ""
        return Page([offer.message for offer in shown], token)
