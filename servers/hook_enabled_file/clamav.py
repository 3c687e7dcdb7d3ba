"""ClamAV's daemon over its socket: INSTREAM of clamd(8).

aioclamd reads from blocking files, a kibibyte at a time, over TCP alone; files here come as they
are asked for, and the daemon's usual socket is a local one.
"""

import asyncio
import re
import struct
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from urllib.parse import urlsplit

from servers.hook_enabled_file.hooks import Away
from servers.runtime.limited import JobFailed, Source, Why

STEP = 256 * 1024
ANSWER_BYTES = 4096
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 60.0
_FOUND = re.compile(r"^stream: (?P<signature>.+) FOUND$")


@dataclass(frozen=True)
class ClamAV:
    """A daemon at `unix:///run/clamav/clamd.ctl` or `tcp://host:3310`."""

    url: str

    async def scan(self, source: Source) -> str:
        """Name of the signature that a file matches; empty if none does. Away if the daemon does
        not answer; JobFailed if it does not take so large a file."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await self._connected()
        except (OSError, TimeoutError) as gone:
            raise Away("the virus scanner does not answer") from gone
        try:
            return _signature(await _streamed(source, reader, writer))
        except (OSError, TimeoutError) as gone:
            raise Away("the virus scanner stopped answering") from gone
        finally:
            writer.close()

    def held(self) -> AbstractAsyncContextManager["ClamAV"]:
        """As a resource: nothing is kept open."""
        return nullcontext(self)

    async def ping(self) -> None:
        """Away if the daemon does not answer."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await self._connected()
                writer.write(b"zPING\0")
                answer = await reader.read(ANSWER_BYTES)
                writer.close()
        except (OSError, TimeoutError) as gone:
            raise Away(f"no virus scanner answers at {self.url}") from gone
        if not answer.startswith(b"PONG"):
            raise Away(f"what answers at {self.url} is no virus scanner")

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        url = urlsplit(self.url)
        if url.scheme == "unix":
            return await asyncio.open_unix_connection(url.path)
        return await asyncio.open_connection(url.hostname, url.port or 3310)


async def _streamed(
    source: Source, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> str:
    writer.write(b"zINSTREAM\0")
    try:
        for at in range(0, source.size, STEP):
            data = await source.read(at, STEP)
            writer.write(struct.pack("!L", len(data)) + data)
            await writer.drain()
        writer.write(struct.pack("!L", 0))
        await writer.drain()
    except ConnectionError:
        # It hangs up on what is too large, after saying so.
        writer.close()
    async with asyncio.timeout(ANSWER_SECONDS):
        answer = b""
        # It may come in pieces.
        while b"\0" not in answer and len(answer) < ANSWER_BYTES:
            if not (more := await reader.read(ANSWER_BYTES)):
                break
            answer += more
    return answer.decode(errors="replace").strip("\0\n ")


def _signature(answer: str) -> str:
    if found := _FOUND.match(answer):
        return found["signature"]
    if answer == "stream: OK":
        return ""
    if "size limit exceeded" in answer:
        raise JobFailed(
            Why.UNREADABLE, "the file is larger than the virus scanner takes (StreamMaxLength)"
        )
    raise Away("the virus scanner could not look at the file")
