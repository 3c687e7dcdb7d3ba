"""A scripted speech service: `POST /v1/audio/transcriptions`, as OpenAI's."""

import asyncio
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web


@dataclass
class Heard:
    """A request."""

    fields: dict[str, str]
    sound: bytes
    authorization: str


class Transcriber:
    """Answers with what it is told, the last answer for ever; an int is a status."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any] | int | bytes] = [{"text": "hello"}]
        self.heard: list[Heard] = []
        self.seconds = 0.0
        """How long it takes over each."""
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)

    @property
    def base_url(self) -> str:
        """As the configuration names it."""
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/audio/transcriptions", self._transcribe)
        return app

    async def _transcribe(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        authorization = request.headers.get("authorization", "")
        with file.file:  # a caller that leaves would have it stay open
            self.heard.append(Heard(fields, file.file.read(), authorization))
        await asyncio.sleep(self.seconds)
        answer = self.answers[min(len(self.heard), len(self.answers)) - 1]
        if isinstance(answer, int):
            return web.json_response({"error": {"message": "SECRET"}}, status=answer)
        if isinstance(answer, bytes):
            return web.Response(body=answer)
        return web.json_response(answer)
