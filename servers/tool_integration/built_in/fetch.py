"""The tool `web.fetch`: the text of a page, from hosts that may be fetched."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import aiohttp
from yarl import URL

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Forbidden, Unavailable
from servers.runtime.lookup import Lookup, Refusal, looked_up
from servers.runtime.public_addresses import refusal
from servers.tool_integration.built_in import pages
from servers.tool_integration.built_in.bodies import ACCEPTED, Body
from servers.tool_integration.built_in.connecting import guarded_session
from servers.tool_integration.built_in.fetch_rules import WAY_OUT, FetchRules
from servers.tool_integration.built_in.fetch_tool import fetch_tool
from servers.tool_integration.configuration import FetchEntry
from servers.tool_integration.tool import Invocation, Json, Offer

MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
HEADERS = {
    "User-Agent": "Kari/1.0 (web.fetch)",
    "Accept": "text/html,application/xhtml+xml,text/*;q=0.9,application/json;q=0.8,*/*;q=0.1",
    "Accept-Encoding": ACCEPTED,
}


@dataclass(frozen=True)
class Answer:
    """An answer as it was read."""

    url: URL
    status: int
    kind: str
    charset: str | None
    body: bytes
    truncated: bool


class Fetch:
    """Fetches pages. `lookup` resolves names, `refuses` says which addresses may not be connected
    to; tests alone give others."""

    def __init__(
        self, entry: FetchEntry, lookup: Lookup = looked_up, refuses: Refusal = refusal
    ) -> None:
        self._entry = entry
        self._rules = FetchRules(entry.hosts, entry.ports)
        self._lookup, self._refuses = lookup, refuses
        self._session: aiohttp.ClientSession | None = None

    def offer(self) -> Offer:
        """As a tool; unavailable if no host may be fetched."""
        off = "" if self._entry.hosts else f"web.fetch is not configured: {WAY_OUT}"
        return Offer(fetch_tool(self._entry), self, off, self._permit)

    async def __call__(self, arguments: Mapping[str, Json], invocation: Invocation) -> Json:
        """The page's text. KariError with the reason if it cannot be had."""
        url = self._rules.checked(arguments["url"])
        try:
            answer = await self._followed(url)
        except (aiohttp.ClientError, OSError) as error:
            raise _unreachable(url, error) from error
        # A large page takes a while to read.
        return await asyncio.to_thread(self._said, answer, bool(arguments.get("links")))

    async def close(self) -> None:
        """Closes its connections."""
        if self._session is not None:
            await self._session.close()

    def _permit(self, arguments: Mapping[str, Json], invocation: Invocation) -> None:
        self._rules.checked(arguments["url"])

    async def _followed(self, url: URL) -> Answer:
        for _ in range(MOST_REDIRECTS + 1):
            async with self._asked(url) as response:
                if response.status not in REDIRECTS or "Location" not in response.headers:
                    return await self._read(url, response)
                url = self._next(url, response.headers["Location"])
        raise Unavailable(
            Reason.REASON_TOOL_FAILED,
            f"the page leads on more than {MOST_REDIRECTS} times",
            retryable=False,
        )

    def _next(self, url: URL, location: str) -> URL:
        try:
            target = url.join(URL(location))
        except ValueError:
            raise Forbidden(
                Reason.REASON_ADDRESS_NOT_ALLOWED, "the page leads on to what is no URL"
            ) from None
        return self._rules.checked(str(target))

    def _asked(self, url: URL) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        if self._session is None:
            self._session = guarded_session(self._lookup, self._refuses)
        timeout = aiohttp.ClientTimeout(total=self._entry.timeout, sock_connect=5, sock_read=10)
        return self._session.get(url, headers=HEADERS, allow_redirects=False, timeout=timeout)

    async def _read(self, url: URL, response: aiohttp.ClientResponse) -> Answer:
        if response.status >= 400:
            raise _failed(url, response.status)
        kind = response.content_type.lower() if "Content-Type" in response.headers else ""
        _check_kind(kind)
        body = Body(response.headers.get("Content-Encoding", ""), self._entry.most_bytes)
        async for piece in response.content.iter_chunked(64 * 1024):
            if not body.take(piece):
                # What is left is not read: the connection cannot be used again.
                response.close()
                break
        return Answer(url, response.status, kind, response.charset, body.text, body.truncated)

    def _said(self, answer: Answer, links: bool) -> Json:
        html = "html" in answer.kind or (not answer.kind and answer.body.lstrip()[:1] == b"<")
        text = pages.decoded(answer.body, answer.charset, html=html)
        cut, said = answer.truncated, dict[str, Json]()
        said |= {"url": str(answer.url), "content_type": answer.kind or "unknown"}
        if html:
            page = pages.read(text, answer.url, links=links)
            said |= {"title": page.title, "description": page.description}
            if links:
                said["links"] = [{"url": target, "text": name} for target, name in page.links]
            text, cut = page.text, cut or page.cut
        most = self._entry.most_characters
        return said | {"text": text[:most], "truncated": cut or len(text) > most}


def _check_kind(kind: str) -> None:
    main, _, sub = kind.partition("/")
    readable = ("json", "xml", "javascript", "yaml", "x-ndjson")
    if not kind or main == "text" or (main == "application" and sub.endswith(readable)):
        return
    raise Unavailable(
        Reason.REASON_TOOL_FAILED, f"it is `{kind[:80]}`, which is no text", retryable=False
    )


def _failed(url: URL, status: int) -> Unavailable:
    return Unavailable(
        Reason.REASON_TOOL_FAILED,
        f"{url.host} answered {status}",
        retryable=status in (429, 500, 502, 503, 504),
        status=status,
    )


def _unreachable(url: URL, error: Exception) -> Unavailable:
    return Unavailable(
        Reason.REASON_TOOL_FAILED,
        f"{url.host} cannot be read ({type(error).__name__})",
        host=url.host,
    )
