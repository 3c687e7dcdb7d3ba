"""Calls under way: what a stopping server waits for."""

import asyncio

from servers.runtime.interceptors.chain import Around, Enter, Incoming, Leave
from servers.runtime.policy import Policies


class UnderWay(Around):
    """Counts the calls that end by themselves: those with a deadline in their contract. Streams
    without one live as long as their reader, and nobody waits for them."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._calls = 0
        self._none = asyncio.Event()
        self._none.set()

    def of(self, method: str) -> Enter | None:
        """Counts calls in and out."""
        return None if self._policies.of(method).deadline is None else self._enter

    def _enter(self, _call: Incoming) -> Leave:
        self._calls += 1
        self._none.clear()
        return self._leave

    def _leave(self, error: BaseException | None) -> BaseException | None:
        self._calls -= 1
        if not self._calls:
            self._none.set()
        return error

    async def finished(self) -> None:
        """Returns when no such call is under way."""
        await self._none.wait()
