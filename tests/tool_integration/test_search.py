"""The tool `web.search` against a server that speaks SearXNG's JSON API."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.errors import KariError
from servers.tool_integration.built_in.search import Search
from servers.tool_integration.configuration import SearchEntry
from servers.tool_integration.results import encoded
from servers.tool_integration.tool import Invocation
from tests.tool_integration.web import Web, gzipped, head, serving_web

CALL = Invocation("call_1", "web.search", Principal("user_1", "tenant_1", frozenset()))
ANSWER = {
    "query": "kari",
    "number_of_results": 2,
    "results": [
        {
            "url": "https://one.example/",
            "title": "One",
            "content": "The first.",
            "engine": "x",
            "score": 1.5,
            "publishedDate": "2026-01-02T00:00:00",
        },
        {"url": "https://two.example/", "title": "Two", "content": None},
        {"url": "javascript:alert(1)", "title": "Three"},
    ],
    "answers": [{"answer": "42", "url": None}, "plain", {"other": 1}],
    "suggestions": ["kari chat"],
    "infoboxes": [{}],
}


class Engine(Web):
    """The server, which answers every query alike."""

    answer: bytes = b""

    async def handle(self, reader: Any, writer: Any) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(asked)
        writer.write(self.answer)
        await writer.drain()
        writer.close()

    def query(self) -> dict[str, list[str]]:
        """The parameters of the last request."""
        return parse_qs(urlsplit(self.requests[-1].split(" ")[1]).query)


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[Engine]:
    async with serving_web(Engine()) as web:
        assert isinstance(web, Engine)
        web.answer = answering(json.dumps(ANSWER).encode())
        yield web


def answering(body: bytes, status: int = 200, **headers: str) -> bytes:
    more = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return head(status, more | {n.replace("_", "-"): v for n, v in headers.items()}) + body


async def searched(engine: Engine, arguments: dict[str, Any], **entry: Any) -> Any:
    search = Search(
        SearchEntry(url=f"http://127.0.0.1:{engine.port}/search", **entry), key="the-key"
    )
    try:
        value = await search({"query": "kari"} | arguments, CALL)
    finally:
        await search.close()
    encoded(search.offer().tool, value)
    return value


async def test_results_are_given_with_titles_and_snippets(engine: Engine) -> None:
    """Only pages of the web; answers as texts; the key goes along."""
    found = await searched(engine, {"page": 2, "time_range": "month", "language": "de-CH"})
    assert found == {
        "results": [
            {
                "title": "One",
                "url": "https://one.example/",
                "snippet": "The first.",
                "published": "2026-01-02T00:00:00",
            },
            {"title": "Two", "url": "https://two.example/", "snippet": ""},
        ],
        "answers": ["42", "plain"],
        "suggestions": ["kari chat"],
    }
    assert engine.query() == {
        "q": ["kari"],
        "format": ["json"],
        "pageno": ["2"],
        "time_range": ["month"],
        "language": ["de-CH"],
    }
    assert "Authorization: Bearer the-key" in engine.requests[0]


async def test_the_query_is_a_value_whatever_it_holds(engine: Engine) -> None:
    """It cannot add parameters; those of the configuration go along."""
    await searched(engine, {"query": "a&format=html#x\r\nHost: y"}, parameters={"engines": "ddg"})
    assert engine.query()["q"] == ["a&format=html#x\r\nHost: y"]
    assert engine.query()["format"] == ["json"]
    assert engine.query()["engines"] == ["ddg"]


async def test_as_many_results_as_are_wanted(engine: Engine) -> None:
    assert len((await searched(engine, {"limit": 1}))["results"]) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (answering(b"", 403), "needs `json` among `search.formats`"),
        (answering(b"", 429), "answered 429"),
        (answering(b"", 500), "answered 500"),
        (answering(b"<html>"), "not answer in SearXNG's JSON format"),
        (answering(b"[]"), "not answer in SearXNG's JSON format"),
        (answering(b'{"results": 3}'), "not answer in SearXNG's JSON format"),
        (answering(b'{"results": [{"title": "x"}]}'), "not answer in SearXNG's JSON format"),
        (answering(b" " * 2_100_000), "more than 2000000 bytes"),
        (answering(b"no gzip at all", Content_Encoding="gzip"), "not encoded as it says"),
        (b"", "does not answer"),
    ],
)
async def test_an_engine_that_fails_is_named(engine: Engine, answer: bytes, why: str) -> None:
    engine.answer = answer
    with pytest.raises(KariError, match=why) as caught:
        await searched(engine, {})
    assert caught.value.reason == Reason.REASON_TOOL_FAILED


async def test_packed_answers_are_read(engine: Engine) -> None:
    engine.answer = answering(gzipped(json.dumps(ANSWER).encode()), Content_Encoding="gzip")
    assert (await searched(engine, {}))["results"]


async def test_without_an_engine_it_says_how_to_configure_one() -> None:
    assert "set `url` under [search] in the tools file" in Search(SearchEntry()).offer().unavailable
