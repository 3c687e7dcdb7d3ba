"""The routes of the one port, and what happens around every request."""

from collections.abc import Awaitable, Callable, Sequence

import structlog
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from gateway.accounts import PATH, Accounts
from gateway.downloading import Downloading
from gateway.envelopes import error_response
from gateway.page import SECURITY_HEADERS, Page
from gateway.probes import Probes
from gateway.upgrading import Sockets
from gateway.uploading import FORMS, RESUMABLE, Uploading
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Call, acting
from servers.runtime.errors import Internal, InvalidRequest, KariError, NotFound
from servers.runtime.interceptors.correlation import HEADER, accepted_id

log = structlog.get_logger("kari.gateway.http")


def application(
    sockets: Sockets,
    accounts: Accounts,
    probes: Probes,
    page: Page,
    uploading: Uploading,
    downloading: Downloading,
) -> Starlette:
    """The whole edge as one ASGI application."""
    routes: Sequence[BaseRoute] = (
        Route("/v1/chat", _upgrade_required),
        Route(f"{PATH}/login", accounts.login, methods=["POST"]),
        Route(f"{PATH}/refresh", accounts.refresh, methods=["POST"]),
        Route(f"{PATH}/logout", accounts.logout, methods=["POST"]),
        *_file_routes(uploading, downloading),
        Route("/.well-known/jwks.json", probes.jwks),
        Route("/livez", probes.livez),
        Route("/readyz", probes.readyz),
        Route("/metrics", probes.metrics),
        *(Route(path, page.serve) for path in page.paths),
    )
    return Starlette(
        routes=routes,
        middleware=[Middleware(Around, chat=sockets.chat)],
        exception_handlers={KariError: _told, HTTPException: _http_error},
    )


def _file_routes(uploading: Uploading, downloading: Downloading) -> Sequence[BaseRoute]:
    one, upload = f"{FORMS}/{{file_id}}", f"{RESUMABLE}/{{upload_id}}"
    return (
        Route(FORMS, uploading.form, methods=["POST"]),
        Route(FORMS, downloading.page, methods=["GET"]),
        Route(one, downloading.show, methods=["GET"]),
        Route(one, downloading.delete, methods=["DELETE"]),
        Route(f"{one}/content", downloading.content, methods=["GET"]),
        Route(RESUMABLE, uploading.create, methods=["POST"]),
        Route(RESUMABLE, uploading.options, methods=["OPTIONS"]),
        Route(upload, uploading.look, methods=["HEAD"]),
        Route(upload, uploading.append, methods=["PATCH"]),
        Route(upload, uploading.give_up, methods=["DELETE"]),
    )


async def _upgrade_required(_: Request) -> Response:
    told = InvalidRequest(Reason.REASON_FRAME_INVALID, "this is a WebSocket; ask for an upgrade")
    return error_response(told, 426)


class Around:
    """Around every HTTP request: its correlation id, the security headers, and an envelope for
    whatever went wrong. `chat` serves WebSockets: the routes between would wait as long as each
    is open, and take a seventh of its memory."""

    def __init__(self, app: ASGIApp, chat: Callable[[WebSocket], Awaitable[None]]) -> None:
        self._app = app
        self._chat = chat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; sockets of other paths are refused by the routes."""
        if scope["type"] == "websocket" and scope["path"] == "/v1/chat":
            await self._chat(WebSocket(scope, receive, send))
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation_id = accepted_id(Request(scope).headers.get(HEADER, ""))
        answer = _Answer(send, correlation_id)
        with acting(Call(correlation_id, method=scope["path"])):
            try:
                await self._app(scope, receive, answer.send)
            except Exception as error:  # the boundary: nothing may leave unanswered
                log.error("unhandled exception", path=scope["path"], exc_info=error)
                if not answer.begun:
                    await error_response(Internal())(scope, receive, answer.send)


class _Answer:
    """Adds headers to a response on its way out."""

    def __init__(self, send: Send, correlation_id: str) -> None:
        self._send = send
        self._headers = {**SECURITY_HEADERS, HEADER: correlation_id}
        self.begun = False

    async def send(self, message: Message) -> None:
        """Passes an ASGI event on."""
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


async def _told(_: Request, error: Exception) -> Response:
    assert isinstance(error, KariError)  # noqa: S101  # what it is registered for
    return error_response(error)


async def _http_error(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: no such path, not this method."""
    assert isinstance(error, HTTPException)  # noqa: S101  # what it is registered for
    path = request.url.path
    told: KariError
    if error.status_code == 404:
        told = NotFound(Reason.REASON_UNSPECIFIED, f"there is nothing at {path[:200]}")
    else:
        told = InvalidRequest(Reason.REASON_FRAME_INVALID, f"{request.method} is not for {path}")
    return error_response(told, error.status_code)
