"""An HTTP client that reads every answer to its end."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

from aiohttp import ClientSession, CookieJar
from multidict import CIMultiDictProxy


@dataclass(frozen=True)
class Answer:
    """A whole response."""

    status: int
    headers: CIMultiDictProxy[str]
    body: str

    def json(self) -> Any:
        """The body, which has to be JSON."""
        assert self.headers["content-type"].startswith("application/json"), self.body
        return json.loads(self.body)

    def envelope(self) -> dict[str, Any]:
        """The error in the body; its correlation id is that of the headers."""
        envelope: dict[str, Any] = self.json()
        assert envelope["correlationId"] == self.headers["x-correlation-id"]
        return envelope

    def cookie(self, name: str) -> Any:
        """A cookie as it was set, with its attributes."""
        for header in self.headers.getall("set-cookie"):
            if header.startswith(f"{name}="):
                return SimpleCookie(header)[name]
        raise AssertionError(f"no cookie {name}")


class Http:
    """Keeps cookies, as browsers do."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def get(self, path: str, **options: Any) -> Answer:
        """GET."""
        return await self._request("GET", path, options)

    async def post(self, path: str, **options: Any) -> Answer:
        """POST."""
        return await self._request("POST", path, options)

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        """Any other method."""
        return await self._request(method, path, options)

    def forget_cookies(self) -> None:
        """As if another client asked."""
        self._session.cookie_jar.clear()

    async def _request(self, method: str, path: str, options: dict[str, Any]) -> Answer:
        async with self._session.request(method, path, **options) as response:
            return Answer(response.status, response.headers, await response.text())


@asynccontextmanager
async def http(url: str, **headers: str) -> AsyncIterator[Http]:
    """A client of the server at `url`."""
    jar = CookieJar(unsafe=True)
    async with ClientSession(url, headers=headers, cookie_jar=jar) as session:
        yield Http(session)
