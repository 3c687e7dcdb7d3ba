"""Calls under way: what a stopping server waits for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from servers.runtime.interceptors.chain import Around, Incoming
from servers.runtime.policy import Policies


class UnderWay(Around):
    """Counts the calls that end by themselves: those with a deadline in their contract. Streams
    without one live as long as their reader, and nobody waits for them."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._calls = 0
        self._none = asyncio.Event()
        self._none.set()

    @asynccontextmanager
    async def around(self, call: Incoming) -> AsyncIterator[None]:
        """Counts a call in and out."""
        if self._policies.of(call.method).deadline is None:
            yield
            return
        self._calls += 1
        self._none.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._none.set()

    async def finished(self) -> None:
        """Returns when no such call is under way."""
        await self._none.wait()
