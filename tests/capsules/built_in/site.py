"""A small web on loopback: pages, and a search engine that speaks SearXNG's JSON API."""

from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass
class Site:
    """Pages by path; `results` are paths that every search finds, in order. `searched` and `read`
    are what was asked for."""

    pages: dict[str, str] = field(default_factory=dict)
    results: list[str] = field(default_factory=list)
    searched: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    engine_down: bool = False
    port: int = 0

    @property
    def root(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def holds(self, **pages: str) -> None:
        """Forgets everything, and has these pages, all of them found by every search."""
        self.pages = {f"/{name}": text for name, text in pages.items()}
        self.results = list(self.pages)
        self.searched, self.read, self.engine_down = [], [], False

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/search", self._search)
        app.router.add_get("/{name}", self._page)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _search(self, request: web.Request) -> web.Response:
        if self.engine_down:
            return web.Response(status=500)
        self.searched.append(request.query["q"])
        found: list[dict[str, Any]] = [
            {"url": f"{self.root}{path}", "title": path[1:].title(), "content": "A page."}
            for path in self.results
        ]
        return web.json_response({"results": found})

    async def _page(self, request: web.Request) -> web.Response:
        self.read.append(request.path)
        if (text := self.pages.get(request.path)) is None:
            return web.Response(status=404)
        html = (
            f"<html><head><title>{request.path[1:]}</title></head><body><p>{text}</p></body></html>"
        )
        return web.Response(text=html, content_type="text/html")
