"""Where an in-process server listens: known before there is one, as an address is."""

import asyncio
from typing import Protocol

from servers.runtime.in_process.exchange import Exchange


class Listener(Protocol):
    """What listens on a port."""

    def accept(self, exchange: Exchange) -> None:
        """Serves a call."""


class Port:
    """Channels are opened to it; one server may listen on it. Without one, calls end UNAVAILABLE,
    as on an address where nobody listens."""

    def __init__(self, name: str = "here") -> None:
        self.name = name
        self.server: Listener | None = None
        self._watching: list[asyncio.Future[None]] = []

    def open(self, server: Listener) -> None:
        """From now on calls are the server's. RuntimeError if another one listens."""
        if self.server is not None:
            raise RuntimeError(f"a server listens on in-process port {self.name} already")
        self.server = server
        self._tell()

    def close(self) -> None:
        """Nobody listens any more."""
        self.server = None
        self._tell()

    async def changed(self) -> None:
        """Returns when a server has come or gone."""
        watching = asyncio.get_running_loop().create_future()
        self._watching.append(watching)
        await watching

    def _tell(self) -> None:
        watching, self._watching = self._watching, []
        for future in watching:
            if not future.done():
                future.set_result(None)
