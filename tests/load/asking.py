"""Those who ask for answers: through Kari, or the provider directly. Both are asked alike."""

import asyncio
import itertools
import re
import time
from typing import Protocol, cast
from urllib.parse import urlsplit

import msgspec

from tests.load.encodings import Frame, TurnEvent, asked, decoded
from tests.load.measured import Turn
from tests.load.websocket import JSON, WebSocket
from tests.upstream.fast import MODEL, Wanted

TURNS_A_CONVERSATION = 20
PATIENCE_SECONDS = 60.0


class Caller(Protocol):
    """One who asks, one question at a time."""

    async def ask(self, wanted: Wanted, began: float | None = None) -> Turn:
        """The turn, timed from `began`, now if it is not given. Never raises for what goes wrong
        in it; that is the turn's `error`."""

    def close(self) -> None:
        """Goes away."""


class SocketCaller(WebSocket):
    """A user with one open socket."""

    def __init__(self, host: str, port: int, token: str, subprotocol: str) -> None:
        super().__init__(host, port, token, subprotocol)
        self._subprotocol = subprotocol
        loop = asyncio.get_running_loop()
        self.welcomed: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[str] = loop.create_future()
        self._ids = itertools.count(1)
        self._id = ""
        self._conversation, self._asked = "", 0
        self._turn = Turn(0.0)
        self._pieces: list[str] = []
        self._kept = ""
        self.acks: list[float] = []

    @classmethod
    async def opened(cls, url: str, token: str, subprotocol: str = JSON) -> "SocketCaller":
        """A welcomed one. ConnectionError if it is turned away."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        loop = asyncio.get_running_loop()
        _, caller = await loop.create_connection(
            lambda: cls(host, port, token, subprotocol), host, port
        )
        await asyncio.wait_for(caller.welcomed, PATIENCE_SECONDS)
        return caller

    async def ask(self, wanted: Wanted, began: float | None = None) -> Turn:
        """A message in a conversation that is a new one now and then."""
        if self._asked == TURNS_A_CONVERSATION:
            self._conversation, self._asked = "", 0
        self._asked += 1
        self._id, self._pieces = str(next(self._ids)), []
        self._turn = turn = Turn(time.perf_counter() if began is None else began)
        if not self._ended.done():
            self._ended = asyncio.get_running_loop().create_future()
            content = f"Please tell me something about it, as {wanted} says."
            self.send(asked(self._id, self._conversation, content, self._subprotocol))
        try:
            turn.error = await asyncio.wait_for(asyncio.shield(self._ended), PATIENCE_SECONDS)
        except TimeoutError:
            turn.error = "no end"
        self._id = ""
        if self._ended.done() and not turn.error.startswith("gone"):
            self._ended = asyncio.get_running_loop().create_future()
        text = "".join(self._pieces)
        turn.error = turn.error or check(text, wanted)
        if not turn.error and self._kept.strip() != text.strip():
            turn.error = "other text kept"
        turn.tokens = wanted.chunks
        return turn

    def received(self, message: bytes) -> None:
        """A frame of the gateway."""
        frame = decoded(message, self._subprotocol)
        if frame.welcome is not None and not self.welcomed.done():
            self.welcomed.set_result(None)
        elif frame.id == self._id and self._id:
            self._answered(frame)

    def lost(self, reason: str) -> None:
        """Whoever waits is told."""
        if not self.welcomed.done():
            self.welcomed.set_exception(ConnectionError(reason))
        if not self._ended.done():
            self._ended.set_result(f"gone: {reason}")

    def _answered(self, frame: Frame) -> None:
        event = frame.turn_event
        if event is not None:
            self._happened(event)
        elif frame.ack is not None:
            self._conversation = frame.ack.conversation_id
            self.acks.append(time.perf_counter() - self._turn.began)
        elif frame.error is not None:
            self._end(f"error: {frame.error.message}")

    def _happened(self, event: TurnEvent) -> None:
        if event.delta is not None:
            self._turn.texts.append(time.perf_counter())
            self._pieces.append(event.delta.text)
        elif event.completed is not None:
            self._turn.ended = time.perf_counter()
            self._kept = event.completed.message.content
            self._end("")
        elif event.failed is not None or event.cancelled is not None:
            self._end("failed" if event.failed is not None else "cancelled")

    def _end(self, error: str) -> None:
        if not self._ended.done():
            self._ended.set_result(error)


_TEXT = re.compile(rb'"content":"([^"]+)"')
_END = b"0\r\n\r\n"


class DirectCaller(asyncio.Protocol):
    """One kept-alive connection to the provider."""

    def __init__(self, host: str, port: int) -> None:
        self._head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}:{port}\r\n"
        self._parts: list[bytes] = []
        self._turn = Turn(0.0)
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport

    @classmethod
    async def opened(cls, url: str, _token: str, _subprotocol: str = "") -> "DirectCaller":
        """A connected one."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        loop = asyncio.get_running_loop()
        _, caller = await loop.create_connection(lambda: cls(host, port), host, port)
        return caller

    async def ask(self, wanted: Wanted, began: float | None = None) -> Turn:
        """A request with nothing but the question."""
        self._turn = turn = Turn(time.perf_counter() if began is None else began)
        self._ended, self._parts = asyncio.get_running_loop().create_future(), []
        body = msgspec.json.encode(
            {
                "model": MODEL,
                "messages": [{"role": "user", "content": str(wanted)}],
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        )
        head = f"{self._head}content-length: {len(body)}\r\n\r\n".encode()
        self._transport.write(head + body)
        turn.error = await self._ended
        turn.ended, turn.tokens = time.perf_counter(), wanted.chunks
        text = b"".join(_TEXT.findall(b"".join(self._parts))).decode()
        turn.error = turn.error or check(text, wanted)
        return turn

    def close(self) -> None:
        """Goes away."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._end("gone")

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        if self._turn.texts or _TEXT.search(data):
            self._turn.texts.append(time.perf_counter())
        if data.endswith(_END):
            self._end("")

    def _end(self, error: str) -> None:
        if not self._ended.done():
            self._ended.set_result(error)


def check(text: str, wanted: Wanted) -> str:
    """What is wrong with the text that came; empty if nothing is."""
    if text == "".join(wanted.pieces):
        return ""
    came = text.split()
    if len(came) < wanted.chunks:
        return "text lost"
    return "other text"
