"""Starting, serving, draining and stopping the servers of a process."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc_channelz.v1 import channelz
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from servers.runtime.access_tokens import AccessTokens
from servers.runtime.call import Call, enter
from servers.runtime.channels import KEEPALIVE
from servers.runtime.errors import Unavailable
from servers.runtime.ids import new_correlation_id
from servers.runtime.in_process import InProcessServer, Port
from servers.runtime.interceptors.auditing import Report
from servers.runtime.interceptors.chain import Chain
from servers.runtime.interceptors.of_servers import server_interceptors
from servers.runtime.interceptors.under_way import UnderWay
from servers.runtime.mesh_key import MeshKey
from servers.runtime.policy import Policies
from servers.runtime.resources import Resources

log = structlog.get_logger("kari.bootstrap")

HEALTH_SECONDS = 5.0
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 5.0
WINDOW = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 2 * 1024 * 1024))
"""What clients may send ahead on a stream. Left alone, gRPC lets it grow with the speed of the
line, to many times what is taken from it: an upload would fill memory."""
Serving = health_pb2.HealthCheckResponse
Hook = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Hosted:
    """A servicer, ready to be served. `prepare` is awaited before the process says that it serves,
    again and again until it does not raise Unavailable; `loops` run while it serves; `drain` is
    awaited before it stops: it refuses new work and sees work under way to its end; `flush` after
    that, to send what is still on its way while others still serve."""

    name: str
    service: ServiceDescriptor
    register: Callable[[grpc.aio.Server], None]
    prepare: Hook | None = None
    loops: tuple[Hook, ...] = ()
    drain: Hook | None = None
    flush: Hook | None = None
    close: Hook | None = None


@dataclass(frozen=True)
class Security:
    """What the interceptors need to know who calls, and where its record goes: both are by
    full service name."""

    access_tokens: AccessTokens
    mesh_key: MeshKey
    callers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    trails: Mapping[str, Report] = field(default_factory=dict)


class Bootstrap:
    """One gRPC server with any number of servicers, health, reflection and channelz. Beside its
    socket it serves the other servers of the process on `port`. With `reuse_port` it shares its
    address with other processes that do so too."""

    def __init__(
        self,
        hosted: Sequence[Hosted],
        resources: Resources,
        security: Security,
        address: str,
        port: Port | None = None,
        *,
        reuse_port: bool = False,
    ) -> None:
        self._hosted = hosted
        self._resources = resources
        self._address = address
        self._health = health_aio.HealthServicer()
        policies = Policies(h.service for h in hosted)
        self._under_way = UnderWay(policies)
        arounds = server_interceptors(
            policies,
            security.access_tokens.verify,
            security.mesh_key,
            security.callers,
            self._under_way,
            security.trails,
        )
        chain = Chain(arounds)
        self._inside = InProcessServer(port or Port(), (chain,))
        self._server = grpc.aio.server(
            interceptors=(chain,),
            options=(
                ("grpc.so_reuseport", int(reuse_port)),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                *KEEPALIVE,
                *WINDOW,
            ),
        )
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> int:
        """Serves; gives the port. Raises RuntimeError if the address is taken."""
        for server in (self._server, self._inside):
            for hosted in self._hosted:
                hosted.register(server)
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        self._add_infrastructure()
        port = self._server.add_insecure_port(self._address)
        await self._say_health(healthy=False)
        await self._inside.start()
        await self._server.start()
        for hosted in self._hosted:
            if hosted.prepare is not None:
                await _prepared(hosted.name, hosted.prepare)
        self._loops = [
            asyncio.create_task(_forever(hosted.name, loop))
            for hosted in self._hosted
            for loop in hosted.loops
        ]
        await self.check_health()
        self._loops.append(asyncio.create_task(self._watch_health()))
        return port

    async def check_health(self) -> None:
        """Pings every resource and publishes what it found: a name for each server, one for each
        store (`store.redis`) and for each part of one (`store.mcp.github`), and the empty one for
        all."""
        found = await self._resources.health()
        stores: dict[str, bool] = {}
        for name, (_, wrong) in found.items():
            # Several servers of a process have a schema each in the one Postgres.
            for store in {name, name.partition(".")[0]}:
                stores[store] = stores.get(store, True) and not wrong
        for store, healthy in stores.items():
            await self._health.set(f"store.{store}", _status(healthy))
        await self._say_health(not any(required and wrong for required, wrong in found.values()))

    async def drain(self) -> None:
        """First stage: says NOT_SERVING and lets work under way come to its end."""
        await self._health.enter_graceful_shutdown()
        drains = [h.drain() for h in self._hosted if h.drain is not None]
        await asyncio.gather(self._under_way.finished(), *drains)
        await asyncio.gather(*(h.flush() for h in self._hosted if h.flush is not None))

    async def stop(self, grace: float) -> None:
        """Second stage: no new calls, `grace` seconds for those under way, then everything
        closes. Inside of the process calls are taken until those from outside have ended."""
        began = time.monotonic()
        await self._server.stop(grace)
        await self._inside.stop(max(0.0, grace - (time.monotonic() - began)))
        await _ended(self._loops)
        for hosted in reversed(self._hosted):
            if hosted.close is not None:
                await hosted.close()
        await self._resources.close()

    async def _say_health(self, healthy: bool) -> None:
        for name in ("", *(hosted.service.full_name for hosted in self._hosted)):
            await self._health.set(name, _status(healthy))

    def _add_infrastructure(self) -> None:
        channelz.add_channelz_servicer(self._server)
        names = [h.service.full_name for h in self._hosted]
        names += ["grpc.health.v1.Health", "grpc.channelz.v1.Channelz"]
        _add_reflection([*names, V1, V1ALPHA], self._server)

    async def _watch_health(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_SECONDS)
            await self.check_health()


V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
V1 = "grpc.reflection.v1.ServerReflection"


@asynccontextmanager
async def serving(bootstrap: Bootstrap, drain_seconds: float) -> AsyncIterator[int]:
    """Serves inside the block; drains and stops after it. Gives the port."""
    try:
        port = await bootstrap.start()
    except BaseException:
        await bootstrap.stop(0)
        raise
    try:
        yield port
    finally:
        try:
            await _drained(bootstrap, drain_seconds)
        finally:
            await bootstrap.stop(min(drain_seconds, 2.0))


async def until_signalled() -> None:
    """Returns at the first SIGINT or SIGTERM; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)


async def _drained(bootstrap: Bootstrap, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await bootstrap.drain()
    except TimeoutError:
        log.warning("work was still under way when the time to drain was over")


async def _prepared(name: str, prepare: Hook) -> None:
    wait = FIRST_WAIT_SECONDS
    while True:
        try:
            return await prepare()
        except Unavailable as error:
            log.warning("cannot prepare yet", server=name, cause=error.message, wait=wait)
        await asyncio.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT_SECONDS)


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels tasks until they have ended: one whose library swallowed it is told again."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=1)


async def _forever(name: str, loop: Hook) -> None:
    """Runs a server's loop; one that ends with an error is logged and begun again. Each round has
    a correlation id of its own."""
    while True:
        enter(Call(new_correlation_id()))
        try:
            await loop()
        except Exception as error:  # whatever it was, the loop has to go on
            log.error("loop failed", server=name, exc_info=error)
        await asyncio.sleep(1)


def _status(healthy: bool) -> int:
    return Serving.SERVING if healthy else Serving.NOT_SERVING


def _add_reflection(names: list[str], server: grpc.aio.Server) -> None:
    """Serves reflection under both of its names: the messages are the same, new clients ask for
    v1, and grpcio-reflection knows v1alpha only."""
    servicer = reflection.aio.ReflectionServicer(names)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(V1, {"ServerReflectionInfo": handler}),)
    )
