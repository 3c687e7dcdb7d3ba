"""Every tool of every source, with what the operator says of it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from servers.tool_integration.schema import checked
from servers.tool_integration.source import Source
from servers.tool_integration.tool import Offer

log = structlog.get_logger("kari.tool_integration")

Adjust = Callable[[Offer], Offer]
"""What the configuration makes of an offer."""

_OTHER = re.compile(r"[^a-zA-Z0-9_-]")
MOST_KNOWN = 32
"""Answers of sources that are remembered: some give users of other roles other tools."""


def on_the_wire(tool_id: str) -> str:
    """How a model writes an id that it was not given a name for: protocols of models allow letters,
    digits, `_` and `-`."""
    return _OTHER.sub("_", tool_id)


class Registry:
    """Looks tools up. Of two with the same id the one of the earlier source counts."""

    def __init__(self, sources: Sequence[Source], adjust: Adjust = lambda offer: offer) -> None:
        self._sources = sources
        self._adjust = adjust
        self._known: list[tuple[Sequence[Offer], Mapping[str, Offer]]] = []

    async def find(self, tool_id: str) -> Offer | None:
        """The tool of this id, or the only one that models may call so; None if there is none, or
        none that is known."""
        found = await self._found(tool_id)
        if found is None and self.unknown(tool_id):
            for source in self._sources:
                await source.settle(tool_id)
            found = await self._found(tool_id)
        return found

    def unknown(self, tool_id: str) -> str:
        """Why nobody can say whether there is a tool of this id; empty if that is known."""
        whys = (source.unknown(tool_id) for source in self._sources)
        return next((why for why in whys if why), "")

    async def _found(self, tool_id: str) -> Offer | None:
        for place in range(len(self._sources)):
            offer = (await self._of(place)).get(tool_id)
            if offer is not None:
                return offer
        alike = [offer for offer in await self.all() if on_the_wire(offer.tool.id) == tool_id]
        return alike[0] if len(alike) == 1 else None

    async def all(self) -> list[Offer]:
        """Every tool, by id."""
        found: dict[str, Offer] = {}
        for place in range(len(self._sources)):
            found = {**await self._of(place), **found}
        return [found[tool_id] for tool_id in sorted(found)]

    async def _of(self, place: int) -> Mapping[str, Offer]:
        offers = await self._sources[place].offers()
        for known, index in self._known:
            # The very object: a source gives another one when something changed.
            if known is offers:
                return index
        index = {offer.tool.id: self._taken(offer) for offer in offers}
        self._known = [(offers, index), *self._known[: MOST_KNOWN - 1]]
        return index

    def _taken(self, offer: Offer) -> Offer:
        wrong = checked(offer.tool)
        if wrong:
            log.warning("a tool's schema cannot be used", tool=offer.tool.id, error=wrong)
            offer = replace(offer, unavailable=wrong)
        return self._adjust(offer)
