"""The scripted servers behind a gateway, served as the real ones are: same bootstrap, same
interceptors, same channels."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import grpc
from redis.asyncio import Redis

from kari.chat_hub.v1 import chat_hub_pb2, chat_hub_pb2_grpc
from kari.identity.v1 import identity_pb2, identity_pb2_grpc
from servers.runtime.access_tokens import AccessTokens
from servers.runtime.bootstrap import Bootstrap, Hosted, Security, serving
from servers.runtime.channels import Channels
from servers.runtime.keys import ensure_keys, mesh_key
from servers.runtime.redis import open_redis, ping
from servers.runtime.resources import Resource, Resources
from servers.runtime.settings import Settings
from tests.gateway.scripted_hub import ScriptedHub
from tests.gateway.scripted_identity import ScriptedIdentity

HUB = chat_hub_pb2.DESCRIPTOR.services_by_name["ChatHubService"]
IDENTITY = identity_pb2.DESCRIPTOR.services_by_name["IdentityService"]


@dataclass
class Mesh:
    """A hub, an identity, and the channels of a gateway to both."""

    hub: ScriptedHub
    identity: ScriptedIdentity
    chat_hub_channel: grpc.aio.Channel
    identity_channel: grpc.aio.Channel
    access_tokens: AccessTokens
    redis: Resource[Redis]
    _running: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def peers(self) -> tuple[grpc.aio.Channel, grpc.aio.Channel]:
        """The channels, as a gateway takes them."""
        return self.chat_hub_channel, self.identity_channel

    async def forget(self) -> None:
        """As if nothing had happened yet."""
        await self.hub.forget()
        await (await self.redis.get()).flushall()

    async def stop(self) -> None:
        """Stops both servers."""
        await self._running.aclose()


@asynccontextmanager
async def serving_mesh(settings: Settings) -> AsyncIterator[Mesh]:
    """Serves both on one port inside the block."""
    keys = ensure_keys(settings)
    access_tokens, key = AccessTokens(keys.jwks), mesh_key(keys.mesh)
    # What a gateway does not call is not scripted.
    hub = ScriptedHub()  # type: ignore[abstract]
    identity = ScriptedIdentity(keys)  # type: ignore[abstract]
    resources = Resources()
    redis = resources.add("redis", partial(open_redis, settings), ping, required=False)
    security = Security(access_tokens, key)
    bootstrap = Bootstrap(hosted(hub, identity), resources, security, "127.0.0.1:0")
    async with AsyncExitStack() as running:
        port = await running.enter_async_context(serving(bootstrap, 0.1))
        peers = frozenset({"chat_hub", "identity"})
        channels = Channels("gateway", peers, lambda _: f"127.0.0.1:{port}", key)
        to_both = channels.to("chat_hub", HUB), channels.to("identity", IDENTITY)
        yield Mesh(hub, identity, *to_both, access_tokens, redis, running)
        await hub.forget()
        await channels.close()


def hosted(hub: ScriptedHub, identity: ScriptedIdentity) -> tuple[Hosted, Hosted]:
    """Both, ready to be served."""
    add_hub = chat_hub_pb2_grpc.add_ChatHubServiceServicer_to_server
    add_identity = identity_pb2_grpc.add_IdentityServiceServicer_to_server
    return (
        Hosted("chat_hub", HUB, partial(add_hub, hub)),
        Hosted("identity", IDENTITY, partial(add_identity, identity)),
    )
