"""One WebSocket: a read loop, the calls of its session, and a write loop while its reader is
behind. Everything ends with it; turns live on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any

import structlog
from google.protobuf.message import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.actions import Action, Ask, Cause, Close, Open, Renew, Send, Stop
from gateway.closing import INTERNAL, TOO_SLOW, Closing
from gateway.counts import FORWARDED, REFUSED, SLOW_READERS
from gateway.frames import Encoding, encode
from gateway.hub import Hub
from gateway.limits import Limits
from gateway.outbox import Outbox
from gateway.session import Session
from gateway.sessions import Sessions
from gateway.spans import Spans
from kari.conversation_models.v1.degradation_pb2 import Degradation
from kari.errors.v1.errors_pb2 import ErrorEnvelope, Reason
from servers.runtime.call import Call, Principal, acting
from servers.runtime.errors import KariError
from servers.runtime.interceptors.metrics import LATENCY, count_error
from servers.runtime.labelled import labelled

LONGEST_SLEEP = 15.0
"""How long the token's end may go unnoticed when a renewal has moved it closer."""

WRITER = "write"

log = structlog.get_logger("kari.gateway.websocket")


class Socket:
    """An open WebSocket. `slow_reader_seconds` is how long one frame may take to go out."""

    def __init__(
        self,
        websocket: WebSocket,
        session: Session,
        encoding: Encoding,
        hub: Hub,
        limits: Limits,
        sessions: Sessions,
        slow_reader_seconds: float,
    ) -> None:
        self._websocket = websocket
        self._writable: asyncio.Event = websocket.scope["state"]["writable"]
        self._session = session
        self._encoding = encoding
        self._hub = hub
        self._limits = limits
        self._sessions = sessions
        self._slow_reader_seconds = slow_reader_seconds
        self._outbox = Outbox()
        self._spans = Spans()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._clock: asyncio.TimerHandle | None = None
        self._code = 0

    @property
    def principal(self) -> Principal:
        """Whose it is by now: renewing may have changed the session."""
        return self._session.principal

    async def run(self, degradations: Sequence[Degradation]) -> int:
        """Serves until the client goes or the socket is closed; gives the close code."""
        try:
            await self._act(self._session.opened(degradations))
            self._wind_clock()
            return await self._read()
        finally:
            if self._clock is not None:
                self._clock.cancel()
            await _cancel(list(self._tasks.values()))

    def close(self, closing: Closing) -> None:
        """Closes the socket once what is on its way is sent."""
        self._outbox.close(closing)
        self._write_on()

    async def degrade(self, degradation: Degradation) -> None:
        """Tells the client that a feature is missing."""
        await self._act(self._session.degraded(degradation))

    async def _read(self) -> int:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return self._code or int(message.get("code") or 1006)
            data = message.get("text")
            data = message["bytes"] if data is None else data
            await self._act(self._session.received(data, time.monotonic()))

    async def _pass(self, item: str | bytes) -> None:
        """At once while the connection takes it; behind what waits already, else."""
        if self._writable.is_set() and WRITER not in self._tasks and not self._outbox.closed:
            await self._send_raw(item)
        else:
            await self._outbox.put(item)
            self._write_on()

    def _write_on(self) -> None:
        if WRITER not in self._tasks:
            self._start(WRITER, self._write)

    async def _write(self) -> None:
        """Until nothing waits any more."""
        while (item := self._outbox.get()) is not None:
            if isinstance(item, Closing):
                await self._say_goodbye(item)
            else:
                await self._send_in_time(item)

    async def _send_in_time(self, item: str | bytes) -> None:
        try:
            async with asyncio.timeout(self._slow_reader_seconds):
                await self._send_raw(item)
        except TimeoutError:
            SLOW_READERS.inc()
            self._outbox.cut()
            await self._say_goodbye(TOO_SLOW)

    async def _send_raw(self, item: str | bytes) -> None:
        """Nothing can be sent to a client that has gone; the read loop is told of it."""
        kind = "text" if isinstance(item, str) else "bytes"
        try:
            await self._websocket.send({"type": "websocket.send", kind: item})
        except WebSocketDisconnect:
            self._outbox.cut()

    async def _say_goodbye(self, closing: Closing) -> None:
        """Ends the read loop too."""
        self._code = closing.code
        with suppress(WebSocketDisconnect):
            await self._websocket.close(closing.code, closing.reason)

    def _wind_clock(self) -> None:
        """A timer and no task: most of what an idle socket has would be that."""
        left = self._session.principal.expires_at - time.time()
        delay = max(0.0, min(left, LONGEST_SLEEP))
        self._clock = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        actions = self._session.tick(time.time())
        if actions:
            self._start("clock", self._act, actions)
        elif not self._outbox.closed:
            self._wind_clock()

    async def _act(self, actions: Sequence[Action]) -> None:
        """Performs what the session handed out, in order."""
        for action in actions:
            match action:
                case Send():
                    await self._send(action)
                case Ask():
                    self._start(f"ask:{action.cause.serial}", self._ask, action)
                case Open():
                    self._stop(action.key)
                    self._start(action.key, self._follow, action)
                case Stop():
                    self._stop(action.key)
                case Renew():
                    await self._renew(action)
                case Close():
                    self.close(action.closing)

    async def _send(self, send: Send) -> None:
        if send.frame.HasField("error"):
            _count(send.frame.error, send.refusal)
        await self._pass(encode(send.frame, self._encoding))

    async def _ask(self, ask: Ask) -> None:
        began = time.perf_counter()
        try:
            with acting(self._call(ask.cause, ask.method)):
                response = await self._answer(ask)
        except KariError as error:
            actions = self._session.failed(ask, error)
        else:
            actions = self._session.answered(ask, response)
        labelled(LATENCY, "gateway").observe(time.perf_counter() - began)
        await self._act(actions)

    async def _answer(self, ask: Ask) -> Message:
        with self._spans.around(ask.cause, ask.method):
            await self._admit(ask)
            labelled(FORWARDED, ask.method).inc()
            return await self._hub.ask(ask.method, ask.request)

    async def _admit(self, ask: Ask) -> None:
        if not ask.counted:
            return
        await self._limits.message(self._session.principal)
        for degradation in self._limits.degradations:
            await self._act(self._session.degraded(degradation))

    async def _renew(self, renew: Renew) -> None:
        try:
            await self._sessions.require_running(renew.principal)
        except KariError as error:
            await self._act(self._session.not_renewed(renew, error))
        else:
            await self._act(self._session.renewed(renew))

    async def _follow(self, stream: Open) -> None:
        await asyncio.sleep(stream.delay)
        error: KariError | None = None
        try:
            with acting(self._call(stream.cause, stream.method)):
                await self._read_stream(stream)
        except KariError as found:
            error = found
        # From here on the key is free: what comes next may open the stream again.
        self._tasks.pop(stream.key, None)
        await self._act(self._session.ended(stream, error))

    async def _read_stream(self, stream: Open) -> None:
        """While the outbox is full nothing is read here, and the hub's side waits."""
        labelled(FORWARDED, stream.method).inc()
        with self._spans.around(stream.cause, stream.method):
            async with aclosing(self._hub.read(stream.method, stream.request)) as responses:
                async for response in responses:
                    await self._act(self._session.streamed(stream, response))
                    self._session.passed_on(stream, response)

    def _call(self, cause: Cause, method: str) -> Call:
        return Call(
            cause.correlation_id,
            method=method,
            principal=self._session.principal,
            caller="gateway",
            deadline=self._hub.deadline(method),
        )

    def _start(self, key: str, work: Callable[..., Awaitable[None]], *given: Any) -> None:
        self._tasks[key] = asyncio.create_task(self._guard(key, work, *given))

    async def _guard(self, key: str, work: Callable[..., Awaitable[None]], *given: Any) -> None:
        """A defect in one call ends its socket, and no other."""
        failed = False
        try:
            await work(*given)
        except Exception as error:
            log.error("socket failed", key=key, exc_info=error)
            failed = True
        finally:
            if self._tasks.get(key) is asyncio.current_task():
                del self._tasks[key]
        if failed:
            self.close(INTERNAL)

    def _stop(self, key: str) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()


def _count(error: ErrorEnvelope, refusal: bool) -> None:
    count_error("gateway", error.type, error.reason)
    if refusal:
        labelled(REFUSED, Reason.Name(error.reason)).inc()


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
