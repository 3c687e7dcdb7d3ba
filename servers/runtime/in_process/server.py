"""A server without a socket: the handlers of servicers, the interceptors, and the calls to them."""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from servers.runtime.in_process.context import Context
from servers.runtime.in_process.exchange import CANCELLED, NOBODY, STOPPED, Ending, Exchange
from servers.runtime.in_process.metadata import Pairs
from servers.runtime.in_process.method import Method
from servers.runtime.in_process.port import Port

log = logging.getLogger(__name__)

UNKNOWN_METHOD = Ending(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
OTHER_KIND = Ending(grpc.StatusCode.UNIMPLEMENTED, "this method streams otherwise")
AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class CallDetails:
    """What interceptors are told of a call."""

    method: str
    invocation_metadata: Pairs


class InProcessServer(grpc.aio.Server):
    """Serves on `port` what is registered with it as with any server of grpc.aio. Handlers are
    coroutines or async generators. Each call runs in a task of its own, in an empty context: what
    the caller knows passes by metadata only, as between processes."""

    def __init__(self, port: Port, interceptors: Sequence[grpc.aio.ServerInterceptor] = ()) -> None:
        self._port = port
        self._interceptors = tuple(interceptors)
        self._generic: list[grpc.GenericRpcHandler] = []
        self._registered: dict[str, Any] = {}
        self._methods: dict[str, Method] = {}
        self._under_way: set[Exchange] = set()
        self._stopped = asyncio.Event()

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]
    ) -> None:
        self._generic.extend(generic_rpc_handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Any]
    ) -> None:
        for name, handler in method_handlers.items():
            self._registered[f"/{service_name}/{name}"] = handler

    def add_insecure_port(self, address: str) -> int:
        raise NotImplementedError("it listens on its in-process port")

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        raise NotImplementedError("it listens on its in-process port")

    async def start(self) -> None:
        """Listens. RuntimeError if another server does."""
        self._port.open(self)

    async def stop(self, grace: float | None) -> None:
        """Refuses new calls at once; those that have not ended after `grace` seconds are
        cancelled. Returns when no handler runs any more."""
        if self._port.server is self:
            self._port.close()
        if grace:
            await self._ended(grace)
        while self._under_way:
            for exchange in list(self._under_way):
                exchange.break_off(STOPPED)
                # Again, if a library of the handler's swallowed it.
                if exchange.task is not None:
                    exchange.task.cancel()
            await self._ended(AGAIN_SECONDS)
        self._stopped.set()

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109  # the base's
        """Returns when it has stopped; True if it has not within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._stopped.wait()
        except TimeoutError:
            return True
        return False

    def accept(self, exchange: Exchange) -> None:
        """Serves a call."""
        if self._port.server is not self:
            exchange.break_off(NOBODY)
            return
        context = contextvars.Context()
        exchange.task = task = exchange.loop.create_task(self._serve(exchange), context=context)
        self._under_way.add(exchange)
        task.add_done_callback(partial(self._over, exchange))

    def _over(self, exchange: Exchange, _task: asyncio.Task[None]) -> None:
        self._under_way.discard(exchange)
        # A handler that was cancelled by others than its client has said nothing.
        exchange.finish(CANCELLED)

    async def _ended(self, seconds: float) -> None:
        tasks = [e.task for e in self._under_way if e.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _serve(self, exchange: Exchange) -> None:
        method = self._methods.get(exchange.method) or await self._found(exchange)
        if method is None:
            return exchange.finish(UNKNOWN_METHOD)
        if method.kind != (exchange.requests is not None, exchange.responses is not None):
            return exchange.finish(OTHER_KIND)
        context = Context(exchange, method.read_each, method.write_each)
        try:
            await method.serve(exchange, context)
            context.finish()
        except grpc.aio.AbortError as said:
            # The context keeps it, and its traceback would keep the context and the request.
            said.__traceback__ = None
        except Exception as error:  # the boundary: the client has to be told
            log.error("unexpected exception in %s", exchange.method, exc_info=error)
            context.fail(error)
        finally:
            context.call_back()
        return None

    async def _found(self, exchange: Exchange) -> Method | None:
        """Interceptors are asked for the handler of a method once."""
        details = CallDetails(exchange.method, exchange.invocation)
        handler = await self._handler(self._interceptors, details)
        if handler is None:
            return None
        method = self._methods[exchange.method] = Method(handler)
        return method

    async def _handler(self, interceptors: Sequence[Any], details: Any) -> Any:
        if not interceptors:
            return self._registered.get(details.method) or self._generic_handler(details)
        continuation: Callable[[Any], Any] = partial(self._handler, interceptors[1:])
        return await interceptors[0].intercept_service(continuation, details)

    def _generic_handler(self, details: Any) -> Any:
        found = (generic.service(details) for generic in self._generic)
        return next((handler for handler in found if handler is not None), None)
