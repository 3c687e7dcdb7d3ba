"""What the servers of one process share: settings, keys, stores, channels to peers."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import TypeVar

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from redis.asyncio import Redis

from servers import topology
from servers.runtime import postgres, redis
from servers.runtime.access_tokens import AccessTokens
from servers.runtime.audit_trail import AuditTrail
from servers.runtime.bootstrap import Security
from servers.runtime.channels import Channels
from servers.runtime.in_process import Port
from servers.runtime.interceptors.auditing import Report
from servers.runtime.keys import KeyFiles, mesh_key
from servers.runtime.mesh_key import MeshKey
from servers.runtime.resources import Resource, Resources
from servers.runtime.settings import Placement, Settings

Stub = TypeVar("Stub")

NO_OPTIONS: Mapping[str, str] = {}
NO_TRAILS: Mapping[str, Report] = {}


class Wiring:
    """What servers are put together from. Those named in `here` share the process and call each
    other without a socket."""

    def __init__(self, settings: Settings, keys: KeyFiles, here: Iterable[str] = ()) -> None:
        self.settings = settings
        self.keys = keys
        self.port = Port()
        self._here = dict.fromkeys(here, self.port)
        self.mesh_key: MeshKey = mesh_key(keys.mesh)
        self.access_tokens = AccessTokens(keys.jwks)
        self.resources = Resources()
        self.trails: dict[str, AuditTrail] = {}
        """The ways of servers to the audit trail, by name; `composition` makes them."""
        self._channels: dict[str, Channels] = {}

    @cached_property
    def redis(self) -> Resource[Redis]:
        """Redis, one pool for all servers of the process."""
        return self.resources.add(
            "redis", partial(redis.open_redis, self.settings), redis.ping, required=False
        )

    def database(
        self, name: str, *, largest: int = 8, options: Mapping[str, str] = NO_OPTIONS
    ) -> Resource[postgres.Database]:
        """The schema of server `name`; `options` are Postgres' for its sessions."""
        return self.resources.add(
            f"postgres.{name}",
            partial(postgres.open_database, self.settings, name, largest=largest, options=options),
            postgres.ping,
            required=True,
        )

    def stub(self, name: str, peer: str, stub: Callable[[grpc.aio.Channel], Stub]) -> Stub:
        """A stub by which server `name` calls a peer; KeyError if the topology has no such
        arrow."""
        return stub(self.channel(name, peer))

    def channel(self, name: str, peer: str) -> grpc.aio.Channel:
        """The channel from server `name` to a peer; KeyError if the topology has no such arrow."""
        if name not in self._channels:
            peers = frozenset(topology.NODES[name].calls)
            self._channels[name] = Channels(name, peers, self.address_of, self.mesh_key, self._here)
        return self._channels[name].to(peer, contract_of(peer))

    def address_of(self, peer: str) -> str:
        """Where a server lives in this placement."""
        return f"{self.settings.grpc_host}:{port_of(peer, self.settings)}"

    def security(self, trails: Mapping[str, Report] = NO_TRAILS) -> Security:
        """Keys, the arrows as the interceptors want them, and where records go, by service."""
        callers = {
            topology.service_of(n.name): topology.callers_of(n.name) for n in topology.SERVERS
        }
        return Security(self.access_tokens, self.mesh_key, callers, trails)

    async def close(self) -> None:
        """Closes the channels, and the resources of a process that has no bootstrap to do so."""
        for channels in self._channels.values():
            await channels.close()
        await self.resources.close()


def contract_of(name: str) -> ServiceDescriptor:
    """The service of a server, whose generated code has been imported; KeyError if it was not."""
    return descriptor_pool.Default().FindServiceByName(topology.service_of(name))


def port_of(name: str, settings: Settings) -> int:
    """Port of a server in the placement of the settings."""
    spread = settings.placement is Placement.SPREAD
    return topology.port_of(name, settings.grpc_port, spread=spread)


def metrics_port(name: str, settings: Settings) -> int:
    """Port of the metrics of a server's own process, or of a worker's; 0 is off."""
    if not settings.metrics_port:
        return 0
    if settings.placement is Placement.SPREAD:
        return settings.metrics_port + topology.NODES[name].port
    return settings.metrics_port + settings.worker - 1 if settings.several_workers else 0
