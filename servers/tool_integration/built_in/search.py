"""The tool `web.search`: a search engine that speaks SearXNG's JSON API."""

from collections.abc import Mapping
from typing import Annotated, Any

import aiohttp
import msgspec
from msgspec import Meta, Struct

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Unavailable
from servers.tool_integration.built_in.bodies import ACCEPTED, Body
from servers.tool_integration.built_in.search_tool import MOST_RESULTS, search_tool
from servers.tool_integration.configuration import SearchEntry
from servers.tool_integration.tool import Invocation, Json, Offer

MOST_BYTES = 2_000_000
MOST_SNIPPET = 600
NOT_CONFIGURED = (
    "web.search is not configured: set `url` under [search] in the tools file to a SearXNG "
    "server's search address, such as http://127.0.0.1:8888/search (docs/tools.md)"
)


class FoundPage(Struct):
    """A result as the engine gives it; what else there is is left."""

    url: Annotated[str, Meta(max_length=4000)]
    title: str = ""
    content: str | None = ""
    publishedDate: str | None = None  # noqa: N815  # SearXNG's name


class Found(Struct):
    """An answer of the engine."""

    results: list[FoundPage] = []
    answers: list[Any] = []
    suggestions: list[str] = []


class Search:
    """Asks the engine that is configured. `key` is sent as a bearer token; empty is none."""

    def __init__(self, entry: SearchEntry, key: str = "") -> None:
        self._entry = entry
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED,
            "User-Agent": "Kari/1.0 (web.search)",
            **entry.headers,
            **({"Authorization": f"Bearer {key}"} if key else {}),
        }
        self._session: aiohttp.ClientSession | None = None

    def offer(self) -> Offer:
        """As a tool; unavailable without an engine."""
        off = "" if self._entry.url else NOT_CONFIGURED
        return Offer(search_tool(self._entry.timeout), self, off)

    async def __call__(self, arguments: Mapping[str, Json], invocation: Invocation) -> Json:
        """The pages that the engine found. Unavailable if it does not answer as it should."""
        query = self._entry.parameters | {
            "q": arguments["query"],
            "format": "json",
            "pageno": str(arguments.get("page", 1)),
        }
        for name in ("language", "time_range"):
            if name in arguments:
                query[name] = arguments[name]
        try:
            found = msgspec.json.decode(await self._asked(query), type=Found)
        except (aiohttp.ClientError, OSError) as error:
            raise _failed(f"does not answer ({type(error).__name__})", retryable=True) from error
        except msgspec.MsgspecError as error:
            raise _failed("does not answer in SearXNG's JSON format") from error
        return _said(found, int(arguments.get("limit", 8)))

    async def close(self) -> None:
        """Closes its connections."""
        if self._session is not None:
            await self._session.close()

    async def _asked(self, query: Mapping[str, str]) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        timeout = aiohttp.ClientTimeout(total=self._entry.timeout, sock_connect=5)
        async with self._session.get(
            self._entry.url or "", params=query, headers=self._headers, timeout=timeout
        ) as response:
            if response.status == 403:
                raise _failed("answered 403: SearXNG needs `json` among `search.formats`")
            if response.status != 200:
                raise _failed(f"answered {response.status}", retryable=response.status >= 429)
            body = Body(response.headers.get("Content-Encoding", ""), MOST_BYTES)
            async for piece in response.content.iter_chunked(64 * 1024):
                if not body.take(piece):
                    response.close()
                    raise _failed(f"answered with more than {MOST_BYTES} bytes")
        return body.text


def _said(found: Found, limit: int) -> Json:
    pages = [page for page in found.results if page.url.startswith(("http://", "https://"))]
    return {
        "results": [
            {
                "title": page.title[:300],
                "url": page.url,
                "snippet": (page.content or "")[:MOST_SNIPPET],
                **({"published": page.publishedDate[:40]} if page.publishedDate else {}),
            }
            for page in pages[: min(limit, MOST_RESULTS)]
        ],
        "answers": [text[:MOST_SNIPPET] for text in map(_answer, found.answers[:3]) if text],
        "suggestions": [text[:100] for text in found.suggestions[:5]],
    }


def _answer(answer: Any) -> str:
    """SearXNG gave texts once, and gives objects now."""
    text = answer.get("answer", "") if isinstance(answer, dict) else answer
    return text if isinstance(text, str) else ""


def _failed(how: str, *, retryable: bool = False) -> Unavailable:
    return Unavailable(Reason.REASON_TOOL_FAILED, f"the search engine {how}", retryable=retryable)
