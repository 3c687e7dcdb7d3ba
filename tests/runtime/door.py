"""A door in front of a store: open, it passes bytes on, slowly if told so; shut, the store is
away."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit, urlunsplit


class Door:
    """An async context manager, open at first. `url` is the store's, through the door. Answers are
    held back for `delay` seconds, each piece of them."""

    def __init__(self, url: str) -> None:
        self._store = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._through: set[asyncio.Task[None]] = set()
        self._port = 0
        self.url = ""
        self.delay = 0.0

    async def __aenter__(self) -> Self:
        await self.open()
        user, at, _ = self._store.netloc.rpartition("@")
        self.url = urlunsplit(self._store._replace(netloc=f"{user}{at}127.0.0.1:{self._port}"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shut()

    async def open(self) -> None:
        """The store can be reached."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Connections are cut, new ones refused."""
        if self._server is not None:
            self._server.close()
        for task in self._through:
            task.cancel()
        await asyncio.gather(*self._through, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._through.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._both_ways(reader, writer)
        finally:
            self._through.discard(task)
            writer.close()

    async def _both_ways(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside = await asyncio.open_connection(self._store.hostname, self._store.port)
        try:
            await asyncio.gather(
                _pump(reader, inside[1], lambda: 0.0),
                _pump(inside[0], writer, lambda: self.delay),
            )
        finally:
            inside[1].close()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: Callable[[], float]
) -> None:
    while data := await reader.read(65_536):
        await asyncio.sleep(delay())
        writer.write(data)
        await writer.drain()
    writer.close()
