"""Client interceptors on any channel.

grpc.aio has interceptors of its own. Each call then runs in a task more, behind a second call
object that hides parts of the first, such as the time that remains and errors of style; that costs
a quarter of the whole call. Nothing here waits, so it needs none of it: a call is changed where it
is made, and is the channel's own.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Self

import grpc

from servers.runtime.interceptors.sending import Ended, Outgoing, Sender, Sending


class SendingChannel(grpc.aio.Channel):
    """A channel whose calls go through `sending`."""

    def __init__(self, channel: grpc.aio.Channel, sending: Sending) -> None:
        self._channel = channel
        self._sending = sending

    def unary_unary(self, method: str, *args: Any, **options: Any) -> Any:
        return self._method(self._channel.unary_unary, method, *args, **options)

    def unary_stream(self, method: str, *args: Any, **options: Any) -> Any:
        return self._method(self._channel.unary_stream, method, *args, **options)

    def stream_unary(self, method: str, *args: Any, **options: Any) -> Any:
        return self._method(self._channel.stream_unary, method, *args, **options)

    def stream_stream(self, method: str, *args: Any, **options: Any) -> Any:
        return self._method(self._channel.stream_stream, method, *args, **options)

    async def close(self, grace: float | None = None) -> None:
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()

    async def __aenter__(self) -> Self:
        await self._channel.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        return await self._channel.__aexit__(exc_type, exc_val, exc_tb)

    def _method(self, of: Callable[..., Any], method: str, *args: Any, **options: Any) -> Any:
        inner = of(method, *args, **options)
        return partial(_call, inner, method, self._sending.of(method))


def _call(
    inner: Callable[..., Any],
    method: str,
    sender: Sender,
    *request: Any,
    timeout: float | None = None,
    metadata: Any = None,
    **options: Any,
) -> Any:
    outgoing = Outgoing(method, timeout, list(metadata or ()))
    ended = sender.begin(outgoing)
    try:
        call = inner(
            *request,
            timeout=outgoing.timeout,
            metadata=grpc.aio.Metadata(*outgoing.headers),
            **options,
        )
    except BaseException:
        if ended is not None:
            ended(grpc.StatusCode.CANCELLED)
        raise
    if ended is not None:
        call.add_done_callback(partial(_when_ended, ended))
    return call


_asking: set[asyncio.Task[None]] = set()


def _when_ended(ended: Ended, call: Any) -> None:
    """The code of a call is behind a coroutine. That of a call that has ended waits for nothing,
    so it needs no task either."""
    code: Coroutine[Any, Any, grpc.StatusCode] = call.code()
    try:
        code.send(None)
    except StopIteration as answer:
        ended(answer.value)
    else:
        code.close()
        task = asyncio.get_running_loop().create_task(_ask(ended, call))
        _asking.add(task)
        task.add_done_callback(_asking.discard)


async def _ask(ended: Ended, call: Any) -> None:
    ended(await call.code())
