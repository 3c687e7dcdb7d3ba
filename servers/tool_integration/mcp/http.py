"""The streamable HTTP transport: the SDK's, with bounds on what a server may send."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

import httpx2
from mcp.client.streamable_http import streamable_http_client

from servers.tool_integration.mcp.ending import Ending
from servers.tool_integration.mcp.flood import LONGEST_MESSAGE, Flood, Length, Meter

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

CONNECT_SECONDS = 10.0
READ_SECONDS = 300.0
"""A stream on which nothing comes for so long is opened anew."""


@asynccontextmanager
async def remote(
    url: str, headers: Mapping[str, str], ending: Ending
) -> AsyncIterator["TransportStreams"]:
    """Speaks to a server by HTTP. What the SDK cannot go on after, it raises in a group."""
    client = httpx2.AsyncClient(
        transport=_Bounded(httpx2.AsyncHTTPTransport(verify=_trusted()), ending),
        # A packed body is as long as its server likes once it is unpacked.
        headers={"accept-encoding": "identity", **headers},
        timeout=httpx2.Timeout(CONNECT_SECONDS, read=READ_SECONDS),
    )
    async with (
        client,
        streamable_http_client(
            url, http_client=client, max_sse_event_size=LONGEST_MESSAGE
        ) as streams,
    ):
        yield streams


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities that are believed; reading them takes as long as a hundred messages."""
    return httpx2.create_ssl_context()


class _Bounded(httpx2.AsyncBaseTransport):
    """Counts what comes, and keeps the status of a refusal, which the SDK does not tell."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, ending: Ending) -> None:
        self._inner = inner
        self._ending = ending
        self._meter = Meter(asyncio.get_running_loop().time())

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        if response.status_code in (401, 403, 407) or response.status_code >= 500:
            self._ending.detail = f"HTTP status {response.status_code}"
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            self._ending.tell("flood", "packs its answers, though it was asked not to")
            raise httpx2.ReadError(self._ending.why)
        if isinstance(response.stream, httpx2.AsyncByteStream):
            kind = response.headers.get("content-type", "").lower()
            length = Length(events=kind.startswith("text/event-stream"))
            response.stream = _Counted(response.stream, self._meter, length, self._ending)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    """The body of a response, as long as it is not too much."""

    def __init__(
        self, inner: httpx2.AsyncByteStream, meter: Meter, length: Length, ending: Ending
    ) -> None:
        self._inner = inner
        self._meter = meter
        self._length = length
        self._ending = ending

    async def __aiter__(self) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        async for piece in self._inner:
            try:
                self._length.note(piece)
                self._meter.note(len(piece), clock())
            except Flood as error:
                self._ending.tell("flood", str(error))
                raise httpx2.ReadError(str(error)) from error
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
