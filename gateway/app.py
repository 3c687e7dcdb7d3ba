"""The gateway put together, served and drained."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import structlog
from redis.asyncio import Redis

from buf.validate import validate_pb2
from gateway.accounts import Accounts
from gateway.connections import TRANSFERS, Connections
from gateway.downloading import Downloading
from gateway.http import application
from gateway.hub import Hub
from gateway.limits import Limits as MessageLimits
from gateway.listening import LOOPBACK, listen, served
from gateway.page import Page
from gateway.probes import Probes
from gateway.readiness import Readiness
from gateway.session import Terms
from gateway.sessions import Sessions
from gateway.shared import SharedCounters
from gateway.upgrading import Sockets
from gateway.uploading import Uploading
from gateway.visitors import Visitors
from kari.chat_hub.v1.chat_hub_pb2 import SendMessageRequest
from kari.edge.v1.frames_pb2 import Limits
from kari.identity.v1.identity_pb2_grpc import IdentityServiceStub
from servers.runtime.access_tokens import AccessTokens
from servers.runtime.ended_sessions import EndedSessions
from servers.runtime.resources import Resource
from servers.runtime.settings import Settings

HEARTBEAT_SECONDS = 20.0
HEALTH_SECONDS = 5.0
RENEW_SECONDS = 30.0

log = structlog.get_logger("kari.gateway")


class Gateway:
    """The edge of one process. `url` is where its page is."""

    def __init__(
        self,
        settings: Settings,
        chat_hub: grpc.aio.Channel,
        identity: grpc.aio.Channel,
        redis: Resource[Redis],
        access_tokens: AccessTokens,
        heartbeat: float,
    ) -> None:
        shared = SharedCounters(redis)
        limits = MessageLimits(settings, shared)
        terms = Terms(_limits(settings), heartbeat, access_tokens.verify)
        accounts = IdentityServiceStub(identity)
        self._settings = settings
        self._heartbeat = heartbeat
        self._readiness = Readiness({"chat_hub": chat_hub, "identity": identity})
        self._connections = Connections(settings.connections_per_user, shared)
        self._transfers = Connections(settings.transfers_per_user, shared, TRANSFERS)
        hub = Hub(chat_hub)
        sessions = Sessions(EndedSessions(redis, settings.access_token_seconds), shared)
        visitors = Visitors(hub, sessions, access_tokens.verify, settings.allowed_origins)
        self._sockets = Sockets(
            hub,
            limits,
            self._connections,
            sessions,
            self._readiness,
            terms,
            settings.allowed_origins,
            settings.slow_reader_seconds,
        )
        self._app = application(
            self._sockets,
            Accounts(accounts, limits, settings, self._sockets),
            Probes(accounts, self._readiness),
            Page(),
            Uploading(hub, visitors, limits, self._transfers),
            Downloading(hub, visitors, self._transfers),
        )
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serves inside the block; drains after it. Raises AddressTaken."""
        listeners = self._listeners()
        host, port = listeners[0].getsockname()[:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        loops = [
            asyncio.create_task(_every(HEALTH_SECONDS, self._look_around)),
            asyncio.create_task(_every(RENEW_SECONDS, self._connections.renew)),
            asyncio.create_task(_every(RENEW_SECONDS, self._transfers.renew)),
        ]
        try:
            async with served(self._app, listeners, self._settings, self._heartbeat):
                try:
                    yield
                finally:
                    await self._drain()
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    def _listeners(self) -> list[socket.socket]:
        """The port, and where this worker alone can be reached."""
        given = self._settings
        listeners = [listen(given.http_host, given.http_port, shared=given.several_workers)]
        if given.worker_port:
            listeners.append(listen(LOOPBACK, given.worker_port, "KARI_WORKER_PORT"))
        return listeners

    async def _drain(self) -> None:
        """Closes every socket, so that its client comes back elsewhere, and waits until they are
        gone; those that are not in time are cut."""
        try:
            async with asyncio.timeout(self._settings.drain_seconds):
                await self._sockets.drain()
        except TimeoutError:
            log.warning("sockets were still open when the time to drain was over")

    async def _look_around(self) -> None:
        await self._readiness.check()
        await self._sockets.degrade()
        await self._sockets.close_ended()


@asynccontextmanager
async def serving_gateway(
    settings: Settings,
    chat_hub: grpc.aio.Channel,
    identity: grpc.aio.Channel,
    redis: Resource[Redis],
    access_tokens: AccessTokens,
    *,
    heartbeat: float = HEARTBEAT_SECONDS,
) -> AsyncIterator[Gateway]:
    """A gateway that serves inside the block and drains after it. Raises AddressTaken."""
    gateway = Gateway(settings, chat_hub, identity, redis, access_tokens, heartbeat)
    async with gateway.serving():
        yield gateway


def _limits(settings: Settings) -> Limits:
    """What clients are told; the longest message is the contract's."""
    content = SendMessageRequest.DESCRIPTOR.fields_by_name["content"]
    rules = content.GetOptions().Extensions[validate_pb2.field]
    return Limits(
        max_frame_bytes=settings.max_frame_bytes,
        max_content_characters=rules.string.max_len,
        messages_per_minute=settings.messages_per_minute,
    )


async def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Works at once and then again and again; what goes wrong is logged and tried again."""
    while True:
        try:
            await work()
        except Exception as error:  # the loop has to go on, whatever it was
            log.error("loop failed", exc_info=error)
        await asyncio.sleep(seconds)
