"""The wiring: how each server is put together. The one composition root; tests use it too."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import grpc
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from kari.memory_processor.v1 import memory_processor_pb2, memory_processor_pb2_grpc
from kari.production_memory.v1 import production_memory_pb2, production_memory_pb2_grpc
from redis.asyncio import Redis

from servers import topology
from servers.memory_processor.retrieval import ShortTerm
from servers.memory_processor.servicer import MemoryProcessor
from servers.runtime import postgres, redis
from servers.runtime.access_tokens import AccessTokens
from servers.runtime.bootstrap import Bootstrap, Hosted, Security
from servers.runtime.channels import Channels
from servers.runtime.keys import KeyFiles, mesh_key
from servers.runtime.mesh_key import MeshKey
from servers.runtime.resources import Resource, Resources
from servers.runtime.session_buffer import SessionBuffer
from servers.runtime.settings import Placement, Settings

S = TypeVar("S")


class Wiring:
    """What servers are put together from: settings, keys, stores and channels of one process."""

    def __init__(self, settings: Settings, keys: KeyFiles) -> None:
        self.settings = settings
        self.keys = keys
        self.mesh_key: MeshKey = mesh_key(keys.mesh)
        self.access_tokens = AccessTokens(keys.jwks)
        self.resources = Resources()
        self.redis: Resource[Redis] = self.resources.add(
            "redis", partial(redis.open_redis, settings), redis.ping, required=False
        )
        self._channels: dict[str, Channels] = {}

    def database(self, name: str, *, largest: int = 8) -> Resource[postgres.Database]:
        """The schema of server `name`."""
        return self.resources.add(
            f"postgres.{name}",
            partial(postgres.open_database, self.settings, name, largest=largest),
            postgres.ping,
            required=True,
        )

    def channel(self, name: str, peer: str, contract: FileDescriptor) -> grpc.aio.Channel:
        """The channel from server `name` to a peer; KeyError if the topology has no such arrow."""
        if name not in self._channels:
            self._channels[name] = Channels(
                name, frozenset(topology.NODES[name].calls), self.address_of, self.mesh_key
            )
        return self._channels[name].to(peer, service_in(contract))

    def address_of(self, peer: str) -> str:
        """Where a server lives in this placement."""
        return f"{self.settings.grpc_host}:{port_of(peer, self.settings)}"

    def security(self) -> Security:
        """Keys, and the arrows as the interceptors want them."""
        callers = {
            topology.service_of(n.name): topology.callers_of(n.name) for n in topology.SERVERS
        }
        return Security(self.access_tokens, self.mesh_key, callers)

    async def close(self) -> None:
        """Closes the channels; the resources are closed by the bootstrap."""
        for channels in self._channels.values():
            await channels.close()


def memory_processor(w: Wiring) -> Hosted:
    """Memory processor."""
    channel = w.channel("memory_processor", "production_memory", production_memory_pb2.DESCRIPTOR)
    stored = production_memory_pb2_grpc.ProductionMemoryServiceStub(channel)
    servicer = MemoryProcessor(ShortTerm(SessionBuffer(w.redis), stored))
    return Hosted(
        "memory_processor",
        service_in(memory_processor_pb2.DESCRIPTOR),
        partial(memory_processor_pb2_grpc.add_MemoryProcessorServiceServicer_to_server, servicer),
    )


HOW: Mapping[str, Callable[[Wiring], Hosted]] = {
    "memory_processor": memory_processor,
}
"""How each server is put together, by name."""


def service_in(contract: FileDescriptor) -> ServiceDescriptor:
    """The one service of a contract."""
    (service,) = contract.services_by_name.values()
    return service


def port_of(name: str, settings: Settings) -> int:
    """Port of a server in the placement of the settings."""
    offset = topology.NODES[name].port if settings.placement is Placement.SPREAD else 0
    return settings.grpc_port + offset


def bootstrap(w: Wiring, names: Sequence[str]) -> Bootstrap:
    """The named servers, ready to start on the port of the first."""
    hosted = [HOW[name](w) for name in names]
    address = f"{w.settings.grpc_host}:{port_of(names[0], w.settings)}"
    return Bootstrap(hosted, w.resources, w.security(), address)


def metrics_port(name: str, settings: Settings) -> int:
    """Port of the metrics of a server's own process; 0 is off."""
    if not settings.metrics_port or settings.placement is Placement.TOGETHER:
        return 0
    return settings.metrics_port + topology.NODES[name].port
