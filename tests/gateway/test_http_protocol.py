"""What comes over a connection, byte by byte: the bounds that the parser leaves to us."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from gateway.http_protocol import MOST_BYTES, MOST_WAITING
from gateway.listening import listen, served
from servers.runtime.settings import Settings

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HEAD = b"POST /a HTTP/1.1\r\nhost: kari\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
ANSWERED = re.compile(rb"HTTP/1.1 (\d+)")


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body that came and the names of the headers, looked at behind it."""
    request = Request(scope, receive)
    body = await request.body()
    names = [name.decode() for name, _ in scope["headers"]]
    await JSONResponse({"body": body.decode(), "headers": names})(scope, receive, send)


@pytest_asyncio.fixture
async def connection() -> AsyncIterator[Connection]:
    listener = listen("127.0.0.1", 0)
    async with served(tell, [listener], Settings(), 20.0):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        yield reader, writer
        writer.close()


async def told(connection: Connection, *parts: bytes) -> bytes:
    """What is answered to these, sent one behind the other, until the connection is closed."""
    reader, writer = connection
    said = b""
    # One that is closed before all has come may be reset, and its answer be lost.
    with suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
    with suppress(ConnectionError):
        async with asyncio.timeout(10):
            while some := await reader.read(MOST_BYTES):
                said += some
    return said


async def test_a_body_is_whole_in_whatever_pieces_it_comes(connection: Connection) -> None:
    words = [f"{n};" for n in range(3000)]
    chunks = [f"{len(word):x}\r\n{word}\r\n".encode() for word in words]
    said = await told(
        connection,
        HEAD + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n",
        *(b"".join(chunks[at : at + 7]) for at in range(0, len(chunks), 7)),
        b"0\r\n\r\n",
    )
    assert json.loads(said.partition(b"\r\n\r\n")[2])["body"] == "".join(words)


async def test_a_trailer_is_no_header(connection: Connection) -> None:
    """It would come behind everything that headers are asked for."""
    end = b"0\r\nauthorization: Bearer x\r\n\r\n"
    last = b"GET /b HTTP/1.1\r\nhost: kari\r\nconnection: close\r\n\r\n"
    said = await told(connection, CHUNKED, b"1\r\na\r\n", end, last)
    assert ANSWERED.findall(said) == [b"200", b"200"]
    assert b"authorization" not in said


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: kari\r\nhost: other\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: kari\r\nhost : other\r\n\r\n",
        HEAD + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
        HEAD + b"transfer-encoding: gzip\r\n\r\n",
        b"CONNECT kari:80 HTTP/1.1\r\nhost: kari\r\n\r\n",
        b"rubbish\r\n\r\n",
    ],
)
async def test_what_can_be_read_in_two_ways_is_refused(connection: Connection, head: bytes) -> None:
    assert ANSWERED.findall(await told(connection, head)) == [b"400"]


@pytest.mark.parametrize(
    "before",
    [
        b"GET /",
        HEAD + b"x-long: ",
        CHUNKED + b"1\r\na\r\n0\r\nx-long: ",
        CHUNKED + b"1;extension=",
    ],
)
async def test_what_is_around_a_body_has_its_bound(connection: Connection, before: bytes) -> None:
    """A request line, a header, a trailer, an extension of a chunk: none is gathered for ever."""
    said = await told(connection, before, *([b"x" * 1024] * (3 * MOST_BYTES // 1024)))
    assert ANSWERED.findall(said) in ([b"400"], [])


async def test_only_so_many_requests_wait_for_an_answer(connection: Connection) -> None:
    """In one piece, so that they are all there before the first can be answered."""
    one = b"GET / HTTP/1.1\r\nhost: kari\r\n\r\n"
    few = b"GET / HTTP/1.1\r\nhost: kari\r\nconnection: close\r\n\r\n"
    assert b" 400 " in await told(connection, one * (MOST_WAITING + 2), few)
