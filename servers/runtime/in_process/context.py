"""What a handler sees of its call: grpc.aio's ServicerContext over an exchange."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from typing import Any, NoReturn

import grpc

from servers.runtime.in_process.exchange import Ending, Exchange, log
from servers.runtime.in_process.metadata import IllegalMetadata, Pairs, sent

Metadata = Iterable[tuple[str, str | bytes]]


class Context(grpc.aio.ServicerContext[Any, Any]):
    """The server's end of a call. `deserialize` and `serialize` are there where that side
    streams."""

    def __init__(
        self,
        exchange: Exchange,
        deserialize: Callable[[bytes], Any] | None,
        serialize: Callable[[Any], bytes] | None,
    ) -> None:
        self._exchange = exchange
        self._deserialize = deserialize
        self._serialize = serialize
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._trailing: Any = ()
        self._aborted: grpc.aio.AbortError | None = None
        self._callbacks: list[Callable[[], Any]] = []

    async def read(self) -> Any:
        """The next request; EOF after the last, and for calls with one request."""
        self.raise_if_over()
        requests = self._exchange.requests
        message = None if requests is None else await requests.get()
        self.raise_if_over()
        if message is None:
            return grpc.aio.EOF
        return message if self._deserialize is None else self._deserialize(message)

    async def write(self, message: Any) -> None:
        """Sends a response, as soon as the window has room for it."""
        self.raise_if_over()
        exchange = self._exchange
        if exchange.responses is None or self._serialize is None:
            raise TypeError(f"Expected bytes, got {type(message).__name__}")
        data = self._serialize(message)
        if exchange.initial is None:
            exchange.begin(())
        if not await exchange.responses.put(data):
            raise grpc.aio.InternalError("the client is gone")

    async def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        """Sends the headers, before any response."""
        self.raise_if_over()
        if self._exchange.initial is not None:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent")
        try:
            pairs = sent(initial_metadata)
        except IllegalMetadata:
            self._state(grpc.StatusCode.INTERNAL, "Invalid metadata", ())
            raise
        self._exchange.begin(pairs)

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()
    ) -> NoReturn:
        """Ends the call with a status."""
        if self._aborted is not None:
            raise grpc.aio.UsageError("Abort already called!")
        if code is grpc.StatusCode.OK:
            raise AssertionError("Expecting non-ok status code.")
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        self._details = details or self._details
        self._code = code
        self._aborted = grpc.aio.AbortError("Locally aborted.")
        self._state(code, self._details, self._trailing)
        raise self._aborted

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        """As `abort`."""
        await self.abort(status.code, status.details, status.trailing_metadata or ())

    def finish(self) -> None:
        """The handler has returned: says what it set, or that all is well."""
        code = self._code or grpc.StatusCode.OK
        details = "" if code is grpc.StatusCode.OK else self._details
        self._state(code, details, self._trailing)

    def fail(self, error: Exception) -> None:
        """The handler has raised: UNKNOWN, unless it set a code before."""
        bad = self._code not in (None, grpc.StatusCode.OK)
        code = self._code if bad and self._code else grpc.StatusCode.UNKNOWN
        self._state(code, f"Unexpected {type(error)}: {error}", self._trailing)

    def raise_if_over(self) -> None:
        """Raises what a handler gets that goes on after its call's end."""
        if self._aborted is not None:
            raise self._aborted
        if self._exchange.stated is not None:
            raise grpc.aio.UsageError("RPC already finished.")

    def call_back(self) -> None:
        """Runs what was asked for at the end."""
        for callback in self._callbacks:
            try:
                callback()
            except Exception as error:  # noqa: BLE001  # it may raise whatever it likes
                log.error("a callback of a handler failed", exc_info=error)

    def invocation_metadata(self) -> Any:
        return self._exchange.invocation

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        pairs = tuple(trailing_metadata)
        for pair in pairs:
            if not _is_pair(pair):
                raise TypeError(f"Invalid trailing metadata type: {pairs!r}")
        self._trailing = pairs

    def trailing_metadata(self) -> Any:
        return self._trailing

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> Any:
        return self._code

    def set_details(self, details: str) -> None:
        self._details = details

    def details(self) -> str:
        return self._details

    def set_compression(self, compression: grpc.Compression) -> None:
        """There is nothing to compress."""

    def disable_next_message_compression(self) -> None:
        """There is nothing to compress."""

    def peer(self) -> str:
        return "in-process:"

    def peer_identities(self) -> None:
        return None

    def peer_identity_key(self) -> None:
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return {}

    def time_remaining(self) -> Any:
        return self._exchange.remaining()

    def add_done_callback(self, callback: Any) -> None:
        self._callbacks.append(partial(callback, self))

    def done(self) -> bool:
        return self._exchange.stated is not None

    def cancelled(self) -> bool:
        return self._code is grpc.StatusCode.CANCELLED

    def _state(self, code: grpc.StatusCode, details: str, trailing: Metadata) -> None:
        try:
            pairs: Pairs = sent(trailing)
        except (IllegalMetadata, TypeError):
            code, details, pairs = grpc.StatusCode.INTERNAL, "Invalid metadata", ()
        self._exchange.finish(Ending(code, details, pairs))


class Requests:
    """The requests of a client that streams, as a handler iterates over them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        message = await self._context.read()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        return message


def _is_pair(pair: Any) -> bool:
    if not isinstance(pair, tuple) or len(pair) != 2:
        return False
    return isinstance(pair[0], str) and isinstance(pair[1], (str, bytes))
