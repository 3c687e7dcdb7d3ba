"""The relay of a jail when connections are reset, in the middle of what they carry."""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from prometheus_client import REGISTRY

from servers.runtime.jail import relay as relay_module
from servers.runtime.jail.relay import TUNNEL, Relay

SECONDS = 20.0
PIECE = b"x" * 65_536
RESET = struct.pack("ii", 1, 0)
"""A linger of no seconds: closing is a reset, not an end."""


@dataclass
class Host:
    """Pours into every connection for ever, and reads what comes. `came` has the connections that
    brought something."""

    port: int = 0
    came: "asyncio.Queue[asyncio.StreamWriter]" = field(default_factory=asyncio.Queue)
    lost: "asyncio.Queue[None]" = field(default_factory=asyncio.Queue)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        pouring = asyncio.create_task(_pour(writer))
        with suppress(ConnectionError):
            await reader.readexactly(10 * len(PIECE))
            self.came.put_nowait(writer)
            while await reader.read(len(PIECE)):
                pass
        pouring.cancel()
        writer.transport.abort()
        self.lost.put_nowait(None)


async def _pour(writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while True:
            writer.write(PIECE)
            await writer.drain()
            await asyncio.sleep(0.001)


async def _lookup(host: str, port: int) -> list[tuple[int, str]]:
    return [(socket.AF_INET, "127.0.0.1")]


@asynccontextmanager
async def relayed() -> AsyncIterator[tuple[int, Host]]:
    """A relay's port and a host that it leads to; all descriptors are closed behind it."""
    before = len(os.listdir("/proc/self/fd"))
    host, (ours, theirs) = Host(), socket.socketpair()
    far = await asyncio.start_server(host.handle, "127.0.0.1", 0)
    host.port = far.sockets[0].getsockname()[1]
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with ours, theirs, listener:
        socket.send_fds(theirs, [b"."], [listener.fileno()])
        async with Relay(lambda _: None, _lookup, lambda _: "").serving(ours):
            yield port, host
    far.close()
    async with asyncio.timeout(SECONDS):
        while len(os.listdir("/proc/self/fd")) > before:  # the kernel tells nobody
            await asyncio.sleep(0.01)


async def tunnel(port: int, host: Host) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    """A connection through the relay, and the status that it got."""
    near, back = await asyncio.open_connection("127.0.0.1", port)
    back.write(f"CONNECT site.example:{host.port} HTTP/1.1\r\n\r\n".encode())
    return near, back, (await near.readuntil(b"\r\n\r\n")).decode()


def connected() -> float:
    """Connections that led to a host and have ended."""
    return REGISTRY.get_sample_value("kari_jail_connections_total", {"became": "connected"}) or 0.0


def reset(writer: asyncio.StreamWriter) -> None:
    """Resets a connection, whatever is under way."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


@pytest.mark.parametrize("who", ["program", "host", "host of a program that takes nothing"])
async def test_a_reset_in_the_middle_of_both_ways_frees_everything(
    who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place among those at once, its descriptors, the connection beyond; others go on."""
    monkeypatch.setattr(relay_module, "AT_ONCE", 2)
    monkeypatch.setattr(relay_module, "CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(relay_module, "MOST_BYTES", 2**40)
    before = connected()
    async with asyncio.timeout(SECONDS), relayed() as (port, host):
        other, other_back, _ = await tunnel(port, host)
        for number in range(3):
            near, back = await _poured(port, host)
            beyond = await host.came.get()
            if who == "host of a program that takes nothing":
                await _full(beyond)
            else:
                await near.readexactly(10 * len(PIECE))
            reset(back if who == "program" else beyond)
            await host.lost.get()
            while connected() < before + number + 1:
                await asyncio.sleep(0.01)
            assert await other.readexactly(len(PIECE)) == PIECE
            if who != "host of a program that takes nothing":
                back.transport.abort()
        other_back.transport.abort()


async def _full(writer: asyncio.StreamWriter) -> None:
    """Returns when nothing more is taken: every buffer on the way is full."""
    held, since = -1, 0
    while since < 20:
        now = writer.transport.get_write_buffer_size()
        since = since + 1 if now and now == held else 0
        held = now
        await asyncio.sleep(0.01)


async def _poured(port: int, host: Host) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that carries both ways; waits for a place to be free."""
    while True:
        near, back, head = await tunnel(port, host)
        if head.encode() == TUNNEL:
            break
        back.transport.abort()
        await asyncio.sleep(0.01)
    pouring = asyncio.create_task(_pour(back))
    pouring.add_done_callback(lambda _: back.transport.abort())
    return near, back
