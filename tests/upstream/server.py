"""The scripted provider: `POST /v1/chat/completions` and `POST /v1/messages`.

In a test: `async with Upstream() as upstream`, then `upstream.scripts["model"] = [Script(...)]` and
`upstream.requests`. By itself: `python -m tests.upstream.server --port N`; then scripts are put to
`/control/scripts` (JSON, by model), requests are read from `/control/requests`, and a DELETE of
`/control` forgets both.
"""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Self

import msgspec
from aiohttp import web

from tests.upstream import anthropic_format, openai_format
from tests.upstream.gullible import believe
from tests.upstream.obedient import obey
from tests.upstream.quoting import quote
from tests.upstream.script import Ending, Script, named

ANSWERING = {"obedient": obey, "retelling": obey, "gullible": believe, "quoting": quote}
"""Models that answer by what they read."""


@dataclass
class Received:
    """A request. `ended` is set when nothing more will happen to it; `gone` says that its client
    left before the answer was complete."""

    path: str
    model: str
    headers: dict[str, str]
    body: dict[str, Any]
    peer: object = None
    gone: bool = False
    sent: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Upstream:
    """One scripted provider."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.scripts: dict[str, Sequence[Script]] = {}
        self.requests: list[Received] = []
        self._news = asyncio.Condition()
        self._runner = web.AppRunner(
            self._app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )

    @property
    def root(self) -> str:
        """Base URL for Anthropic's API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """Base URL for OpenAI's API."""
        return f"{self.root}/v1"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def forget(self) -> None:
        """As if it had just started."""
        self.scripts.clear()
        self.requests.clear()

    def asked(self, model: str) -> list[Received]:
        """The requests for a model."""
        return [request for request in self.requests if request.model == model]

    async def asked_for(self, count: int) -> None:
        """Returns once there were so many requests."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.requests) >= count)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self._openai)
        app.router.add_post("/v1/messages", self._anthropic)
        app.router.add_put("/control/scripts", self._put_scripts)
        app.router.add_get("/control/requests", self._get_requests)
        app.router.add_delete("/control", self._forget)
        return app

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, openai_format)

    async def _anthropic(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, anthropic_format)

    async def _answer(self, request: web.Request, form: ModuleType) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read())
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.path, body["model"], headers, body)
        received.peer = request.transport and request.transport.get_extra_info("peername")
        async with self._news:
            self.requests.append(received)
            self._news.notify_all()
        try:
            return await self._play(request, received, form)
        except (asyncio.CancelledError, ConnectionError):
            received.gone = True
            raise
        finally:
            received.ended.set()

    async def _play(
        self, request: web.Request, received: Received, form: ModuleType
    ) -> web.StreamResponse:
        script = self._next(received)
        if script.silent:
            await asyncio.Event().wait()
        await asyncio.sleep(script.first_delay)
        if script.status != 200:
            headers = {"retry-after": script.retry_after} if script.retry_after else {}
            error = form.error(script.status)
            return web.json_response(error, status=script.status, headers=headers)
        if not received.body.get("stream"):
            return web.json_response(form.whole(received.model, script))
        return await self._stream(request, received, form, script)

    async def _stream(
        self, request: web.Request, received: Received, form: ModuleType, script: Script
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        usage = bool((received.body.get("stream_options") or {}).get("include_usage"))
        for _ in range(script.keepalives):
            await response.write(b": keep-alive\n\n")
            await asyncio.sleep(script.delay)
        for event in form.events(received.model, script, usage=usage):
            if received.sent and script.delay:
                await asyncio.sleep(script.delay)
            await response.write(event)
            received.sent += 1
        await self._end(request, response, received, form, script, usage=usage)
        return response

    async def _end(
        self,
        request: web.Request,
        response: web.StreamResponse,
        received: Received,
        form: ModuleType,
        script: Script,
        *,
        usage: bool,
    ) -> None:
        match script.ending:
            case Ending.COMPLETE:
                for event in form.completion(received.model, script, usage=usage):
                    await response.write(event)
            case Ending.CUT:
                assert request.transport is not None
                request.transport.close()
            case Ending.HANG:
                await asyncio.Event().wait()
            case Ending.GARBAGE:
                await response.write(form.GARBAGE)
            case Ending.ERROR:
                await response.write(form.failure())
            case Ending.UNFINISHED:
                pass

    def _next(self, received: Received) -> Script:
        model = received.model
        scripts = self.scripts.get(model)
        if not scripts:
            answering = ANSWERING.get(model)
            return answering(received.body) if answering else named(model)
        return scripts[min(len(self.asked(model)), len(scripts)) - 1]

    async def _put_scripts(self, request: web.Request) -> web.Response:
        scripts = msgspec.json.decode(await request.read(), type=dict[str, list[Script]])
        self.scripts.update(scripts)
        return web.json_response({"models": sorted(self.scripts)})

    async def _get_requests(self, request: web.Request) -> web.Response:
        shown = [
            {"path": r.path, "model": r.model, "gone": r.gone, "sent": r.sent, "body": r.body}
            for r in self.requests
        ]
        return web.json_response(shown)

    async def _forget(self, request: web.Request) -> web.Response:
        self.forget()
        return web.json_response({})


async def serve(port: int) -> None:
    """Serves until it is ended."""
    async with Upstream(port) as upstream:
        print(f"ready {upstream.base_url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A scripted model provider on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one, and prints it")
    asyncio.run(serve(parser.parse_args().port))
