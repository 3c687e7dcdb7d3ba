"""One call, as both of its ends share it: messages under way, metadata, status, time."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

from servers.runtime.in_process.metadata import Pairs
from servers.runtime.in_process.pipe import Pipe

log = logging.getLogger(__name__)

MOST_BYTES = 4 << 20
"""gRPC's own limit for a message."""


@dataclass(frozen=True, slots=True)
class Ending:
    """With what a call ended."""

    code: grpc.StatusCode
    details: str = ""
    trailing: Pairs = ()


CANCELLED = Ending(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
LATE = Ending(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
STOPPED = Ending(grpc.StatusCode.UNAVAILABLE, "Cancelling all calls")
NOBODY = Ending(grpc.StatusCode.UNAVAILABLE, "nobody serves here")


class Exchange:
    """A call under way. `requests` and `responses` are there where that side streams; else the one
    message is in `request` and `response`. `ending` is the client's: there once it has read all
    that came before."""

    __slots__ = (
        "_callbacks",
        "_timer",
        "_waiting",
        "cancelled_here",
        "deadline",
        "ending",
        "initial",
        "invocation",
        "loop",
        "method",
        "request",
        "requests",
        "response",
        "responses",
        "stated",
        "task",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        method: str,
        invocation: Pairs,
        requests: Pipe | None,
        responses: Pipe | None,
    ) -> None:
        self.loop = loop
        self.method = method
        self.invocation = invocation
        self.deadline: float | None = None
        self.request: bytes = b""
        self.requests = requests
        self.response: bytes = b""
        self.responses = responses
        self.initial: Pairs | None = None
        self.stated: Ending | None = None
        self.ending: Ending | None = None
        self.cancelled_here = False
        self.task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._callbacks: list[Callable[[], Any]] = []
        self._waiting: list[asyncio.Future[None]] = []

    def limit(self, seconds: float) -> None:
        """Ends the call late after so many seconds."""
        self.deadline = self.loop.time() + seconds
        if seconds <= 0:
            self.break_off(LATE)
        else:
            self._timer = self.loop.call_later(seconds, self.break_off, LATE)

    def remaining(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - self.loop.time())

    def begin(self, initial: Pairs) -> None:
        """The server's initial metadata have come."""
        if self.initial is None:
            self.initial = initial
            if self._waiting:
                self._wake()

    def finish(self, ending: Ending) -> None:
        """The server has said how the call ends; its client learns it when it has read the rest."""
        if self.stated is not None:
            return
        self.stated = ending
        if self.responses is None:
            self._settle(self._readable(ending))
            return
        self.responses.end()
        if self.responses.drained:
            self._settle(ending)

    def break_off(self, ending: Ending) -> None:
        """Ends the call at once, for both: what is unread is dropped, the handler cancelled."""
        if self.ending is not None:
            return
        self._settle(ending)
        if self.task is not None and self.stated is None:
            self.task.cancel()

    def drained(self) -> None:
        """The client has read everything so far."""
        if self.stated is not None and self.ending is None:
            self._settle(self.stated)

    def when_ended(self, callback: Callable[[], Any]) -> None:
        """Calls back when the client's side has ended, at once if it has."""
        if self.ending is not None:
            _call(callback)
        else:
            self._callbacks.append(callback)

    def changed(self) -> asyncio.Future[None]:
        """Done at the next change: initial metadata or the end. Not to be shared."""
        waiting = self.loop.create_future()
        self._waiting.append(waiting)
        return waiting

    def _readable(self, ending: Ending) -> Ending:
        size = len(self.response)
        return ending if size <= MOST_BYTES else too_large("CLIENT", size)

    def _settle(self, ending: Ending) -> None:
        if self.ending is not None:
            return
        self.ending = ending
        if self.initial is None:
            self.initial = ()
        if self._timer is not None:
            self._timer.cancel()
        for pipe in (self.requests, self.responses):
            if pipe is not None:
                pipe.cut()
        if self._waiting:
            self._wake()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            _call(callback)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


def _call(callback: Callable[[], Any]) -> None:
    """One that fails is its owner's: it must not reach who happened to end the call."""
    try:
        callback()
    except Exception as error:  # it may raise whatever it likes
        log.error("a callback of a call failed", exc_info=error)


def too_large(side: str, size: int) -> Ending:
    """The ending of a call with a message over the limit."""
    return Ending(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        f"{side}: Received message larger than max ({size} vs. {MOST_BYTES})",
    )


def serialized(message: Any, serializer: Callable[[Any], bytes] | None) -> bytes:
    """A client's message as bytes. What cannot be serialized is logged and goes as an empty
    message, as grpc.aio has it."""
    if serializer is None:
        return as_bytes(message)
    try:
        return serializer(message)
    except Exception as error:  # a serializer may raise whatever it likes
        log.error("a message could not be serialized", exc_info=error)
        return b""


def as_bytes(message: Any) -> bytes:
    """What is to be bytes without a serializer; TypeError if it is not."""
    if isinstance(message, bytes):
        return message
    raise TypeError(f"Expected bytes, got {type(message).__name__}")


def deserialized(message: bytes, deserializer: Callable[[bytes], Any] | None) -> Any:
    """A message as the client sees it; None, and a line in the log, if it cannot be read."""
    if deserializer is None:
        return message
    try:
        return deserializer(message)
    except Exception as error:  # as above
        log.error("a message could not be read", exc_info=error)
        return None
