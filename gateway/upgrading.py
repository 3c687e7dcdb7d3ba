"""From an upgrade request to an open socket: who, how, and whether there is a place."""

import asyncio

import structlog
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.closing import GOING_AWAY, INTERNAL, SESSION_ENDED, TOO_MANY_CONNECTIONS
from gateway.connections import Connections
from gateway.counts import ACTIVE, CLOSED, CONNECTIONS, REFUSED
from gateway.credentials import Upgrade, encoding_of, token_of
from gateway.envelopes import error_response
from gateway.frames import Encoding, encode
from gateway.hub import Hub
from gateway.limits import Limits
from gateway.readiness import Readiness
from gateway.session import Session, Terms
from gateway.sessions import Sessions
from gateway.websocket import Socket
from kari.conversation_models.v1.degradation_pb2 import Degradation
from kari.edge.v1.frames_pb2 import ServerFrame
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Call, Principal, acting, current
from servers.runtime.errors import KariError, RateLimited, Unavailable
from servers.runtime.interceptors.correlation import HEADER, accepted_id
from servers.runtime.labelled import labelled

log = structlog.get_logger("kari.gateway")


class Sockets:
    """Every open socket of this process."""

    def __init__(
        self,
        hub: Hub,
        limits: Limits,
        connections: Connections,
        sessions: Sessions,
        readiness: Readiness,
        terms: Terms,
        origins: frozenset[str],
        slow_reader_seconds: float,
    ) -> None:
        self._hub = hub
        self._limits = limits
        self._connections = connections
        self._sessions = sessions
        self._readiness = readiness
        self._terms = terms
        self._origins = origins
        self._slow_reader_seconds = slow_reader_seconds
        self._open: set[Socket] = set()
        self._gone = asyncio.Condition()
        self._draining = False

    async def chat(self, websocket: WebSocket) -> None:
        """`/v1/chat`: refuses before the upgrade, or serves until the socket ends."""
        correlation_id = accepted_id(websocket.headers.get(HEADER, ""))
        with acting(Call(correlation_id, method="upgrade")):
            try:
                principal, encoding, subprotocol = self._admit(websocket)
                await self._sessions.require_running(principal)
            except KariError as refusal:
                labelled(CONNECTIONS, Reason.Name(refusal.reason)).inc()
                await websocket.send_denial_response(error_response(refusal))
                return
            await websocket.accept(subprotocol, [(HEADER.encode(), correlation_id.encode())])
            # They hold a token, and would stay as long as the socket.
            websocket.scope["headers"].clear()
            await self._serve(websocket, principal, encoding)

    async def drain(self) -> None:
        """Refuses new sockets and closes the open ones, whose clients are told to come back;
        returns when all are gone."""
        self._draining = True
        for socket in list(self._open):
            socket.close(GOING_AWAY)
        async with self._gone:
            await self._gone.wait_for(lambda: not self._open)

    async def end_session(self, access_token: str) -> None:
        """Closes the sockets of a token's session, which was signed out."""
        try:
            session_id = self._terms.verify(access_token).session_id
        except KariError:
            return
        self._close_sessions({session_id})

    async def close_ended(self) -> None:
        """Closes the sockets of sessions that were signed out on other gateways."""
        principals = [socket.principal for socket in self._open]
        self._close_sessions(await self._sessions.ended_among(principals))

    async def degrade(self) -> None:
        """Tells every socket what is missing by now."""
        for degradation in self._degradations():
            for socket in list(self._open):
                await socket.degrade(degradation)

    def _admit(self, websocket: HTTPConnection) -> tuple[Principal, Encoding, str | None]:
        if self._draining:
            raise Unavailable(Reason.REASON_SHUTTING_DOWN, "the server is stopping; try again")
        offered = tuple(websocket.scope.get("subprotocols", ()))
        upgrade = Upgrade(websocket.headers, websocket.cookies, offered)
        principal = self._terms.verify(token_of(upgrade, self._origins))
        return (principal, *encoding_of(upgrade))

    async def _serve(self, websocket: WebSocket, who: Principal, encoding: Encoding) -> None:
        try:
            async with self._connections.place(who):
                labelled(CONNECTIONS, "accepted").inc()
                await self._run(websocket, who, encoding)
        except RateLimited as refusal:
            labelled(CONNECTIONS, Reason.Name(refusal.reason)).inc()
            await _turn_away(websocket, refusal, encoding)

    async def _run(self, websocket: WebSocket, who: Principal, encoding: Encoding) -> None:
        session = Session(who, encoding, self._terms)
        socket = Socket(
            websocket,
            session,
            encoding,
            self._hub,
            self._limits,
            self._sessions,
            self._slow_reader_seconds,
        )
        self._open.add(socket)
        ACTIVE.inc()
        code = INTERNAL.code
        try:
            code = await socket.run(self._degradations())
        finally:
            self._open.remove(socket)
            ACTIVE.dec()
            await self._tell_gone()
            labelled(CLOSED, str(code)).inc()
            if code == 1009:
                labelled(REFUSED, Reason.Name(Reason.REASON_TOO_LARGE)).inc()
            log.info("socket ended", code=code, user=who.user_id)

    def _close_sessions(self, session_ids: set[str]) -> None:
        for socket in list(self._open):
            if socket.principal.session_id in session_ids:
                socket.close(SESSION_ENDED)

    async def _tell_gone(self) -> None:
        async with self._gone:
            self._gone.notify_all()

    def _degradations(self) -> list[Degradation]:
        found = [*self._readiness.degradations, *self._limits.degradations]
        return [d for i, d in enumerate(found) if d not in found[:i]]


async def _turn_away(websocket: WebSocket, refusal: KariError, encoding: Encoding) -> None:
    """Browsers cannot read a refused upgrade, so this one is told on the open socket."""
    correlation_id = current().correlation_id
    error = refusal.envelope(correlation_id)
    item = encode(ServerFrame(correlation_id=correlation_id, error=error), encoding)
    kind = "text" if isinstance(item, str) else "bytes"
    try:
        await websocket.send({"type": "websocket.send", kind: item})
        await websocket.close(TOO_MANY_CONNECTIONS.code, TOO_MANY_CONNECTIONS.reason)
    except WebSocketDisconnect:
        return
