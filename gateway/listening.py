"""The port: one socket for HTTP and WebSocket, served by uvicorn without its signal handlers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from gateway.http_protocol import HttpProtocol
from servers.runtime.settings import Settings

LOOPBACK = "127.0.0.1"

SEND_BUFFER_BYTES = 131_072
"""Of the kernel, for each connection. Left alone it grows to megabytes, and a reader that is slow
would be noticed that much later."""

GOODBYE_SECONDS = 10.0
"""How long a client may take to answer a closing before the connection is cut."""


class AddressTaken(RuntimeError):
    """The address of the gateway cannot be listened on; the message says the way out."""


class Protocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, except that closing never waits for the reader: one that takes nothing
    would keep its connection, and our memory, for ever. And a refused upgrade is complete, so that
    uvicorn does not log each as an error."""

    def handle_connect(self, event: Request) -> None:
        """Says by `state["writable"]` whether what is sent goes out without waiting."""
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self.scope["state"]["writable"] = self.writable

    async def send(self, message: Any) -> None:
        """Sends one ASGI event."""
        if message["type"] == "websocket.close":
            self.writable.set()
            self.loop.call_later(GOODBYE_SECONDS, self._cut)
        await super().send(message)
        if message["type"] == "websocket.accept":
            # A tenth of what an idle socket takes, and a token among it.
            self.request.headers.clear()
            del self.request, self.response
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def keepalive_timeout(self) -> None:
        """A ping was not answered."""
        super().keepalive_timeout()
        self.loop.call_later(GOODBYE_SECONDS, self._cut)

    def _cut(self) -> None:
        if not self.disconnected:
            self.transport.abort()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the process, which stops its parts in order."""
        yield


def listen(
    host: str, port: int, setting: str = "KARI_HTTP_PORT", *, shared: bool = False
) -> socket.socket:
    """A listening socket; AddressTaken, naming the setting, if somebody else has it. `shared` with
    processes that ask for it as shared too: the system gives each new connection to one of them."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    try:
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise AddressTaken(
            f"{host}:{port} cannot be used ({error.strerror}); stop what listens there or "
            f"set {setting}"
        ) from None
    listener.setblocking(False)
    return listener


@asynccontextmanager
async def served(
    app: ASGIApp,
    listeners: Sequence[socket.socket],
    settings: Settings,
    heartbeat: float,
) -> AsyncIterator[None]:
    """Serves inside the block; connections that are left at its end are closed. A frame up to
    twice the allowed size is read, so that it can be answered; a larger one closes its socket."""
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=2,
            http=HttpProtocol,
            ws=Protocol,
            ws_max_size=2 * settings.max_frame_bytes,
            ws_per_message_deflate=False,
            ws_ping_interval=heartbeat,
            ws_ping_timeout=heartbeat,
        )
    )
    task = asyncio.create_task(server.serve(sockets=list(listeners)))
    try:
        yield
    finally:
        server.should_exit = True
        await task
