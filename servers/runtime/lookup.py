"""Names of hosts, resolved."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias

Lookup: TypeAlias = Callable[[str, int], Awaitable[list[tuple[int, str]]]]
"""The addresses of a name, each with its family. OSError if there are none."""
Refusal: TypeAlias = Callable[[str], str]
"""Why an address may not be connected to; empty if it may."""


async def looked_up(host: str, port: int) -> list[tuple[int, str]]:
    """As the machine resolves names."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [(family, str(address[0])) for family, _, _, _, address in found]
