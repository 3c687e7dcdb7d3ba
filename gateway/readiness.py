"""Whether the mesh behind the gateway answers, and what is missing in it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from servers.runtime.call import Call, acting
from servers.runtime.ids import new_correlation_id

CHECK_SECONDS = 2.0

FEATURES: Mapping[str, tuple[Feature.ValueType, ...]] = {
    "redis": (
        Feature.FEATURE_SESSION_BUFFER,
        Feature.FEATURE_RESUME,
        Feature.FEATURE_SHARED_LIMITS,
        Feature.FEATURE_FAN_OUT,
    ),
    "milvus": (Feature.FEATURE_SEMANTIC_RECALL,),
}
"""What chat does without while a store is down."""
OTHERS: Mapping[str, tuple[Feature.ValueType, ...]] = {
    "mcp": (Feature.FEATURE_TOOLS,),
    "objects": (Feature.FEATURE_UPLOADS,),
}
"""What some of it is missing of: operators are told, and not every user."""


class Readiness:
    """gRPC health of the peers and of the stores beside them."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel]) -> None:
        self._stubs = {name: HealthStub(channel) for name, channel in channels.items()}
        self.degradations: Sequence[Degradation] = ()
        self.others: Sequence[Degradation] = ()

    async def check(self) -> list[str]:
        """Names of the peers that do not serve; notes what is missing otherwise."""
        with acting(Call(new_correlation_id(), method="health", caller="gateway")):
            peers = await self._statuses("")
            self.degradations = await self._missing(FEATURES)
            self.others = await self._missing(OTHERS)
        serving = health_pb2.HealthCheckResponse.SERVING
        return [name for name, status in peers.items() if status != serving]

    async def _missing(
        self, features: Mapping[str, tuple[Feature.ValueType, ...]]
    ) -> list[Degradation]:
        stores = await asyncio.gather(*(self._statuses(f"store.{name}") for name in features))
        return [
            Degradation(feature=feature, cause=store)
            for (store, missing), found in zip(features.items(), stores, strict=True)
            if health_pb2.HealthCheckResponse.NOT_SERVING in found.values()
            for feature in missing
        ]

    async def _statuses(self, service: str) -> dict[str, int | None]:
        found = await asyncio.gather(*(_status(stub, service) for stub in self._stubs.values()))
        return dict(zip(self._stubs, found, strict=True))


async def _status(stub: Any, service: str) -> int | None:
    """The status that a peer tells of a service; None if it does not answer or know it."""
    try:
        request = health_pb2.HealthCheckRequest(service=service)
        response = await stub.Check(request, timeout=CHECK_SECONDS)
    except grpc.aio.AioRpcError:
        return None
    return int(response.status)
