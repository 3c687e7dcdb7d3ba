"""The one way from a jail to the network: a proxy outside of it, for public addresses alone.

A program in the jail connects to a listener on the jail's own loopback, which was handed to this
process (`listening`). Names are resolved here, what they resolve to is looked at, and what was
looked at is what is connected to; so nothing that only this machine or its network can reach is
ever reached, whatever names lead to.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from prometheus_client import Counter

from servers.runtime.jail.proxying import END, LONGEST_HEAD, Asked, NotAsked, asked
from servers.runtime.lookup import Lookup, Refusal, looked_up
from servers.runtime.public_addresses import refusal

Deny = Callable[[str], None]
"""Told of each host and port that may not be reached."""

AT_ONCE, IN_ALL = 16, 1000
"""Connections of a jail."""
MOST_BYTES = 100_000_000
"""Of all connections of a jail, both ways."""
HEAD_SECONDS = CONNECT_SECONDS = CLOSE_SECONDS = 10.0
PIECE = 65_536
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"

CONNECTIONS = Counter(
    "kari_jail_connections_total", "Connections that jails asked for.", ("became",)
)

log = structlog.get_logger("kari.jail")


class _Refused(Exception):
    """A connection that is not made; the status and the message are for the program."""

    def __init__(self, became: str, status: str, message: str) -> None:
        super().__init__(message)
        self.became, self.status, self.message = became, status, message


class Relay:
    """What one jail may reach. `lookup` resolves names, `refuses` says which addresses may not be
    connected to; tests alone give others."""

    def __init__(self, deny: Deny, lookup: Lookup = looked_up, refuses: Refusal = refusal) -> None:
        self._deny = deny
        self._lookup, self._refuses = lookup, refuses
        self._tasks = set[asyncio.Task[None]]()
        self._server: asyncio.Server | None = None
        self._count, self._left = 0, MOST_BYTES

    @asynccontextmanager
    async def serving(self, line: socket.socket) -> AsyncIterator[None]:
        """Serves the listener that comes over `line` inside the block; nothing if none comes, as
        from a jail that could not be made."""
        listener = await _received(line)
        if listener is None:
            yield
            return
        self._server = await asyncio.start_server(self._begin, sock=listener, limit=LONGEST_HEAD)
        try:
            yield
        finally:
            self._server.close()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def _begin(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self._count += 1
        if self._count >= IN_ALL and self._server is not None:
            # Whoever goes on connecting is refused by the kernel, at no cost for others.
            self._server.close()
        task = asyncio.create_task(self._serve(near, back))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        became = "broken"
        try:
            await self._passed(near, back)
            became = "connected"
        except _Refused as refused:
            became = refused.became
            text = f"{refused.message}\n".encode()
            head = f"HTTP/1.1 {refused.status}\r\nContent-Length: {len(text)}\r\n"
            back.write(f"{head}Connection: close\r\n\r\n".encode() + text)
        except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError) as broken:
            log.info("a connection of a jail broke off", error=type(broken).__name__)
        except asyncio.CancelledError:
            back.transport.abort()
            raise
        finally:
            CONNECTIONS.labels(became).inc()
            await _closed(back)

    async def _passed(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        if len(self._tasks) > AT_ONCE or self._count > IN_ALL:
            most = f"{AT_ONCE} connections at once and {IN_ALL} in all"
            raise _Refused("bounded", "429 Too Many Requests", f"there are {most} at most")
        async with asyncio.timeout(HEAD_SECONDS):
            head = await near.readuntil(END)
        try:
            wish = asked(head)
        except NotAsked as wrong:
            raise _Refused("misread", "400 Bad Request", str(wrong)) from None
        far, out = await self._connected(wish)
        try:
            back.write(TUNNEL if wish.tunnel else b"")
            out.write(wish.first)
            await self._both(near, out, far, back)
        finally:
            # Not `close`, which waits for one that does not read to take what is left.
            out.transport.abort()

    async def _both(
        self,
        near: asyncio.StreamReader,
        out: asyncio.StreamWriter,
        far: asyncio.StreamReader,
        back: asyncio.StreamWriter,
    ) -> None:
        """Both ways, until nothing more comes from afar or one of them breaks."""
        try:
            async with asyncio.TaskGroup() as both:
                sending = both.create_task(self._pass(near, out))
                await self._pass(far, back)
                sending.cancel()
        except* OSError as broken:
            log.info("a connection of a jail broke off", errors=_kinds(broken))

    async def _connected(self, wish: Asked) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                found = await self._lookup(wish.host, wish.port)
                # All of them: which one is used is left to chance.
                for _, address in found:
                    self._check(wish, address)
                return await _first_of([address for _, address in found], wish.port)
        except (OSError, TimeoutError, ValueError) as error:
            what = f"{wish.host} cannot be reached ({type(error).__name__})"
            raise _Refused("unreachable", "502 Bad Gateway", what) from error

    def _check(self, wish: Asked, address: str) -> None:
        if why := self._refuses(address):
            place = f"[{wish.host}]" if ":" in wish.host else wish.host
            log.warning("a jail asked for an address that is not public", port=wish.port)
            self._deny(f"{place}:{wish.port}")
            raise _Refused("refused", "403 Forbidden", f"{wish.host} {why}")

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE):
            self._left -= len(piece)
            if self._left < 0:
                raise ConnectionAbortedError(f"more than {MOST_BYTES} bytes")
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def _first_of(
    addresses: list[str], port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first address that takes one."""
    for address in addresses[:-1]:
        try:
            return await asyncio.open_connection(address, port)
        except OSError as error:
            log.info("an address does not answer", error=type(error).__name__)
    return await asyncio.open_connection(addresses[-1], port)


async def _closed(back: asyncio.StreamWriter) -> None:
    """Closes a connection of the jail, which counts as one until then. What a program has not taken
    within CLOSE_SECONDS is dropped: it might never take it."""
    back.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await back.wait_closed()
    except OSError as broken:
        log.info("a connection of a jail broke off", error=type(broken).__name__)
    finally:
        back.transport.abort()


async def _received(line: socket.socket) -> socket.socket | None:
    """The listener that comes over a line; None if that ends."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(line, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(line)
    _, descriptors, _, _ = socket.recv_fds(line, 1, 1)
    return socket.socket(fileno=descriptors[0]) if descriptors else None


def _kinds(errors: BaseExceptionGroup[BaseException]) -> str:
    return " ".join(sorted({type(error).__name__ for error in errors.exceptions}))
