"""Streaming an answer over HTTP: the part that all remote providers share."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from typing import Any

import aiohttp
import msgspec

from servers.model_factory.answer import ProviderEvent, joined
from servers.model_factory.configuration import Timeouts
from servers.model_factory.failure import Kind, ProviderFailure, of_status
from servers.model_factory.patience import Patience
from servers.model_factory.wire import Decoder, Dialect, code_in, retry_after
from servers.runtime.steps import Steps

ERROR_BYTES = 65_536
"""How much of an error's body is read to find its short name."""

LINGER_SECONDS = 0.05
"""How long the end of a complete answer's body is waited for."""


class EventSource:
    """Posts requests to one provider and reads the streams that answer."""

    def __init__(self, timeouts: Timeouts, *, keep_alive: bool = True) -> None:
        self._timeouts = timeouts
        self._keep_alive = keep_alive
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._waiting: set[Patience] = set()

    async def stream(
        self, url: str, headers: Mapping[str, str], body: Mapping[str, Any], dialect: Dialect
    ) -> AsyncGenerator[ProviderEvent, None]:
        """The events of one answer; ProviderFailure if it fails. Closing the stream closes its
        connection, which is how a provider learns that nobody listens any more."""
        patience = Patience(self._timeouts)
        self._waiting.add(patience)
        try:
            async with aclosing(self._answer(url, headers, body, dialect, patience)) as events:
                async for event in events:
                    yield event
        finally:
            self._waiting.discard(patience)

    async def _answer(
        self,
        url: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any],
        dialect: Dialect,
        patience: Patience,
    ) -> AsyncGenerator[ProviderEvent, None]:
        response = await self._post(url, headers, body, patience)
        try:
            if response.status != 200:
                raise await _refusal(response, patience)
            async for event in _read(response, Decoder(dialect), patience):
                yield event
        finally:
            response.close()

    async def close(self) -> None:
        """Ends every stream, closes every connection, and opens no new ones. aiohttp alone would
        leave those who read from a closed connection waiting."""
        self._closed = True
        for patience in self._waiting:
            patience.end()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(
        self, url: str, headers: Mapping[str, str], body: Mapping[str, Any], patience: Patience
    ) -> aiohttp.ClientResponse:
        try:
            async with patience.limit():
                return await self._opened().post(
                    url,
                    data=msgspec.json.encode(body),
                    headers={"content-type": "application/json", **headers},
                    allow_redirects=False,
                )
        except aiohttp.ConnectionTimeoutError as error:
            raise ProviderFailure(Kind.CONNECT, timeout=self._timeouts.connect) from error
        except TimeoutError as error:
            raise patience.lost() from error
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            raise ProviderFailure(Kind.CONNECT) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ProviderFailure(Kind.CLOSED)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=not self._keep_alive),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=self._timeouts.connect, connect=None
                ),
            )
        return self._session


async def _read(
    response: aiohttp.ClientResponse, decoder: Decoder, patience: Patience
) -> AsyncGenerator[ProviderEvent, None]:
    steps, unread = Steps(), _Unread(response)
    while not decoder.over and (chunk := await _chunk(response, decoder, patience)):
        events = decoder.feed(chunk)
        for event in joined(events):
            yield event
        if decoder.failure is not None:
            raise decoder.failure
        patience.heard(events)
        if not decoder.over:
            # What arrives meanwhile is read as one.
            await steps.next(unread)
    if not decoder.stopped:
        raise ProviderFailure(Kind.CUT)
    await _linger(response)


class _Unread:
    """A while in which what arrives of an answer stays with the system: taking each piece of it by
    itself costs as much as a step does."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        connection = response.connection
        self._transport = connection.transport if connection is not None else None
        self._paused = False

    def __enter__(self) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing() and transport.is_reading():
            transport.pause_reading()
            self._paused = True

    def __exit__(self, *_: object) -> None:
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        self._paused = False


async def _chunk(response: aiohttp.ClientResponse, decoder: Decoder, patience: Patience) -> bytes:
    """The bytes that have arrived; none at the end of the stream. Once the provider has stopped,
    however the stream ends is its end."""
    try:
        async with patience.limit():
            return await response.content.readany()
    except TimeoutError as error:
        failure = patience.lost()
        cause: BaseException = error
    except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
        failure, cause = ProviderFailure(Kind.CUT), error
    if decoder.stopped:
        return b""
    raise failure from cause


async def _linger(response: aiohttp.ClientResponse) -> None:
    """Lets the end of the body arrive, which is on its way: only then can the connection be used
    again, and a new one costs a TLS handshake."""
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(LINGER_SECONDS):
            while not response.content.at_eof():
                await response.content.readany()


async def _refusal(response: aiohttp.ClientResponse, patience: Patience) -> ProviderFailure:
    try:
        async with patience.limit():
            body = await response.content.read(ERROR_BYTES)
    except (TimeoutError, aiohttp.ClientError, OSError):
        body = b""
    return of_status(response.status, code_in(body), retry_after(response.headers))
