"""Channels to peers. The only place that opens one: nobody else knows where a peer lives."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from servers.runtime.in_process import InProcessChannel, Port
from servers.runtime.interceptors.of_clients import client_interceptors
from servers.runtime.interceptors.sending_channel import SendingChannel
from servers.runtime.mesh_key import MeshKey
from servers.runtime.policy import of_service

# Pings find dead peers on idle channels; both ends have to agree on how often is too often.
KEEPALIVE = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)

_SAFE = (MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT)
_RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.05s",
    "maxBackoff": "1s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


class Channels:
    """The channels of server `name` to its peers, one a peer, opened when first asked for. Peers
    in `here` are called in process, the others over a socket."""

    def __init__(
        self,
        name: str,
        peers: frozenset[str],
        address_of: Callable[[str], str],
        key: MeshKey,
        here: Mapping[str, Port] = MappingProxyType({}),
    ) -> None:
        self._name = name
        self._peers = peers
        self._address_of = address_of
        self._here = here
        self._deadlines: dict[str, float | None] = {}
        self._sending = client_interceptors(key, name, self._deadlines)
        self._open: dict[str, grpc.aio.Channel] = {}

    def to(self, peer: str, service: ServiceDescriptor) -> grpc.aio.Channel:
        """The channel to a peer; KeyError if the topology has no such arrow."""
        if peer not in self._peers:
            raise KeyError(f"the topology has no arrow from {self._name} to {peer}")
        if peer not in self._open:
            self._deadlines |= {path: p.deadline for path, p in of_service(service).items()}
            self._open[peer] = self._channel(peer, service)
        return self._open[peer]

    def _channel(self, peer: str, service: ServiceDescriptor) -> grpc.aio.Channel:
        port = self._here.get(peer)
        if port is not None:
            return InProcessChannel(port, self._sending)
        channel = grpc.aio.insecure_channel(
            self._address_of(peer),
            options=(*KEEPALIVE, ("grpc.service_config", service_config(service))),
        )
        return SendingChannel(channel, self._sending)

    async def close(self) -> None:
        """Closes all of them; calls under way are cancelled."""
        for channel in self._open.values():
            await channel.close()


def service_config(service: ServiceDescriptor) -> str:
    """gRPC service config: methods whose contract calls them safe to repeat are retried while the
    peer is unavailable."""
    safe = [
        {"service": service.full_name, "method": method.name}
        for method in service.methods
        if method.GetOptions().idempotency_level in _SAFE
    ]
    return json.dumps({"methodConfig": [{"name": safe, "retryPolicy": _RETRY}]} if safe else {})
