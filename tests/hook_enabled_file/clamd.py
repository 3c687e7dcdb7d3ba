"""A virus scanner's daemon, as far as INSTREAM and PING of clamd(8) go."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.hook_enabled_file.samples import EICAR

LARGEST = 1_000_000


@asynccontextmanager
async def clamd(answer: str = "") -> AsyncIterator[str]:
    """Its address. It knows one virus, and takes no more than a megabyte; with an `answer` it says
    nothing else."""
    server = await asyncio.start_server(lambda r, w: _serve(r, w, answer), "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"tcp://{host}:{port}"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: str) -> None:
    command = await reader.readuntil(b"\0")
    said = "PONG"
    if command == b"zINSTREAM\0":
        said = _verdict(await _received(reader))
    writer.write(f"{answer or said}\0".encode())
    await writer.drain()
    writer.close()


async def _received(reader: asyncio.StreamReader) -> bytes:
    data = b""
    while size := struct.unpack("!L", await reader.readexactly(4))[0]:
        data += await reader.readexactly(size)
        if len(data) > LARGEST:
            break
    return data


def _verdict(data: bytes) -> str:
    if len(data) > LARGEST:
        return "INSTREAM size limit exceeded. ERROR"
    return "stream: Eicar-Signature FOUND" if EICAR in data else "stream: OK"
