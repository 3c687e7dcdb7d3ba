"""Streaming an answer over HTTP: the part that all remote providers share."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import msgspec

from servers.model_factory.answer import ProviderEvent, Reasoning, Text, Working, joined
from servers.model_factory.configuration import Timeouts
from servers.model_factory.failure import Kind, ProviderFailure, of_status
from servers.model_factory.wire import Decoder, Dialect, code_in, retry_after

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

    async def stream(
        self, url: str, headers: Mapping[str, str], body: Mapping[str, Any], dialect: Dialect
    ) -> AsyncGenerator[ProviderEvent, None]:
        """The events of one answer; ProviderFailure if it fails. Closing the stream closes its
        connection, which is how a provider learns that nobody listens any more."""
        patience = _Patience(self._timeouts)
        response = await self._post(url, headers, body, patience)
        try:
            if response.status >= 400:
                raise await _refusal(response, patience)
            async for event in _read(response, Decoder(dialect), patience):
                yield event
        finally:
            response.close()

    async def close(self) -> None:
        """Closes every connection, and opens no new ones."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(
        self, url: str, headers: Mapping[str, str], body: Mapping[str, Any], patience: "_Patience"
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
            raise ProviderFailure(Kind.CONNECT, code="closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=not self._keep_alive),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=self._timeouts.connect, connect=None
                ),
            )
        return self._session


class _Patience:
    """How long a provider may still be silent. Only what it says counts, not bytes such as
    comments that keep a connection alive."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._idle = timeouts.idle
        self._allowed = timeouts.first_token
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + self._allowed

    def limit(self) -> asyncio.Timeout:
        """Ends what is done inside when patience is over."""
        return asyncio.timeout_at(self._until)

    def heard(self, events: list[ProviderEvent]) -> None:
        """Begins to wait anew after something was said, from now: the time that the reader took is
        not the provider's."""
        if any(isinstance(event, Text | Reasoning) for event in events):
            self._allowed = self._idle
        elif not any(isinstance(event, Working) for event in events):
            return
        self._until = self._loop.time() + self._allowed

    def lost(self) -> ProviderFailure:
        """The failure when it is over."""
        return ProviderFailure(Kind.TIMEOUT, timeout=self._allowed)


async def _read(
    response: aiohttp.ClientResponse, decoder: Decoder, patience: _Patience
) -> AsyncGenerator[ProviderEvent, None]:
    while not decoder.over and (chunk := await _chunk(response, decoder, patience)):
        events = decoder.feed(chunk)
        for event in joined(events):
            yield event
        if decoder.failure is not None:
            raise decoder.failure
        patience.heard(events)
    if not decoder.stopped:
        raise ProviderFailure(Kind.CUT)
    await _linger(response)


async def _chunk(response: aiohttp.ClientResponse, decoder: Decoder, patience: _Patience) -> bytes:
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


async def _refusal(response: aiohttp.ClientResponse, patience: _Patience) -> ProviderFailure:
    try:
        async with patience.limit():
            body = await response.content.read(ERROR_BYTES)
    except (TimeoutError, aiohttp.ClientError, OSError):
        body = b""
    return of_status(response.status, code_in(body), retry_after(response.headers))
