"""How long a provider may be silent, and how waiting for it ends early."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from servers.model_factory.answer import Calling, ProviderEvent, Reasoning, Text, Working
from servers.model_factory.configuration import Timeouts
from servers.model_factory.failure import Kind, ProviderFailure


class Patience:
    """The patience with one answer. Only what the provider says counts, not bytes such as comments
    that keep a connection alive."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._idle = timeouts.idle
        self._allowed = timeouts.first_token
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + self._allowed
        self._limit: asyncio.Timeout | None = None
        self._ended = False

    def limit(self) -> asyncio.Timeout:
        """Ends what is done inside when patience is over."""
        self._limit = asyncio.timeout_at(self._until)
        return self._limit

    def end(self) -> None:
        """It is over now."""
        self._ended = True
        self._until = self._loop.time()
        if self._limit is not None:
            with suppress(RuntimeError):  # nobody waits at the moment
                self._limit.reschedule(self._until)

    def heard(self, events: Sequence[ProviderEvent]) -> None:
        """Begins to wait anew after something was said, from now: the time that the reader took is
        not the provider's."""
        if self._ended:
            return
        if any(isinstance(event, Text | Reasoning | Calling) for event in events):
            self._allowed = self._idle
        elif not any(isinstance(event, Working) for event in events):
            return
        self._until = self._loop.time() + self._allowed

    def lost(self) -> ProviderFailure:
        """The failure when it is over."""
        if self._ended:
            return ProviderFailure(Kind.CLOSED)
        return ProviderFailure(Kind.TIMEOUT, timeout=self._allowed)
