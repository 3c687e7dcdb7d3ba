"""A small web of the tests' own: a real HTTP server on the loopback address, and names for it."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from servers.runtime.public_addresses import refusal

PAGE = b"<!doctype html><title>A page</title><body><main><p>Words of a page.</p></main>"
NAMES = {
    "site.example": ["127.0.0.1"],
    "other.example": ["127.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "private.example": ["10.1.2.3"],
    "mixed.example": ["93.184.216.34", "127.0.0.2"],
    "loop.example": ["127.0.0.2"],
    "six.example": ["::ffff:127.0.0.1"],
}


def but_the_server(address: str) -> str:
    """The tests' server stands for the public web; every other address is judged as ever."""
    return "" if address == "127.0.0.1" else refusal(address)


async def known(host: str, port: int) -> list[tuple[int, str]]:
    """Addresses of a name, as the system's own resolver gives them."""
    if host not in NAMES:
        raise OSError("no such name")
    return [(10 if ":" in address else 2, address) for address in NAMES[host]]


@dataclass
class Web:
    """The server: what it answers by path, and what it was asked. `requests` are the heads of the
    requests as they came; `connections` counts all, also those that asked nothing."""

    port: int = 0
    answers: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str = "/", host: str = "site.example") -> str:
        """The address of a path, under a name."""
        return f"http://{host}:{self.port}{path}"

    def give(
        self, path: str, body: bytes, kind: str = "text/html; charset=utf-8", **headers: str
    ) -> None:
        """Answers a path with 200 and a body."""
        more = {"Content-Type": kind, "Content-Length": str(len(body))} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        self.answers[path] = head(200, more) + body

    def redirect(self, path: str, location: str, status: int = 302) -> None:
        """Leads a path on."""
        self.answers[path] = head(status, {"Location": location, "Content-Length": "0"})

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one answer; a path that ends in `/drip` or `/endless` never ends."""
        self.connections += 1
        try:
            asked = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.requests.append(asked)
            path = asked.split(" ")[1]
            writer.write(self.answers.get(path, head(404, {"Content-Length": "0"})))
            while path.endswith(("/drip", "/endless")):
                writer.write(b"x" * (65536 if path.endswith("/endless") else 1))
                await writer.drain()
                await asyncio.sleep(0 if path.endswith("/endless") else 0.05)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def head(status: int, headers: dict[str, str]) -> bytes:
    """The head of an answer."""
    lines = [f"HTTP/1.1 {status} X", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def gzip_bomb(megabytes: int) -> bytes:
    """Very little that is very much."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    piece = b"\0" * 1_000_000
    return b"".join(packer.compress(piece) for _ in range(megabytes)) + packer.flush()


def gzipped(body: bytes) -> bytes:
    """A body as servers pack it."""
    return gzip.compress(body, mtime=0)


@asynccontextmanager
async def serving_web(web: Web | None = None, address: str = "127.0.0.1") -> AsyncIterator[Web]:
    """Serves inside the block."""
    web = web or Web()
    server = await asyncio.start_server(web.handle, address, 0)
    web.port = server.sockets[0].getsockname()[1]
    try:
        yield web
    finally:
        server.close()
