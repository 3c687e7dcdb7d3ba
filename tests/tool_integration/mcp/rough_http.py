"""MCP servers behind HTTP that do what none should, in this process; the protocol of 2025."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from tests.tool_integration.mcp.rough import Answer, initialized, tools_of

JSON = b"content-type: application/json\r\n"
EVENTS = b"content-type: text/event-stream\r\n"
PIECE = b"x" * 65_536


@asynccontextmanager
async def rough_http(behaviour: str) -> AsyncIterator[str]:
    """The address of one that answers calls with an endless body, `body`, or event, `event`."""
    server = await asyncio.start_server(partial(_serve, behaviour), "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"


async def _serve(
    behaviour: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One request, and its answer."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
        message = json.loads(await reader.readexactly(size) or b"{}")
        writer.write(_answered(behaviour, message))
        while message.get("method") == "tools/call":
            writer.write(PIECE)
            await writer.drain()
            # So slowly that it is not taken for too many messages.
            await asyncio.sleep(0.01)
    except ConnectionError:
        return
    finally:
        writer.close()


def _answered(behaviour: str, message: Answer) -> bytes:
    """The answer to a message, or its beginning."""
    match message.get("method"):
        case "initialize":
            return _result(message, initialized())
        case "tools/list":
            return _result(message, {"tools": tools_of("plain")})
        case "tools/call" if behaviour == "event":
            return _head("200 OK", EVENTS) + b": well so far\r\n\r\ndata: "
        case "tools/call":
            return _head("200 OK", JSON) + b'"'
        case None:
            return _head("405 Method Not Allowed")
    return _head("202 Accepted")


def _head(status: str, more: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\nconnection: close\r\n".encode() + more + b"\r\n"


def _result(message: Answer, result: Answer) -> bytes:
    body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
    return _head("200 OK", JSON) + json.dumps(body).encode()
