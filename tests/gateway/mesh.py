"""The scripted servers behind a gateway, served as the real ones are: same bootstrap, same
interceptors, same channels."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
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


@dataclass
class Mesh:
    """A hub, an identity, and the channels of a gateway to both."""

    hub: ScriptedHub
    identity: ScriptedIdentity
    chat_hub_channel: grpc.aio.Channel
    identity_channel: grpc.aio.Channel
    access_tokens: AccessTokens
    redis: Resource[Redis]


@asynccontextmanager
async def serving_mesh(settings: Settings, port: int = 0) -> AsyncIterator[Mesh]:
    """Serves both on one port inside the block."""
    keys = ensure_keys(settings)
    access_tokens, key = AccessTokens(keys.jwks), mesh_key(keys.mesh)
    hub, identity, resources = ScriptedHub(), ScriptedIdentity(keys), Resources()
    redis = resources.add("redis", partial(open_redis, settings), ping, required=False)
    hub_service = chat_hub_pb2.DESCRIPTOR.services_by_name["ChatHubService"]
    identity_service = identity_pb2.DESCRIPTOR.services_by_name["IdentityService"]
    hosted = (
        Hosted(
            "chat_hub",
            hub_service,
            partial(chat_hub_pb2_grpc.add_ChatHubServiceServicer_to_server, hub),
        ),
        Hosted(
            "identity",
            identity_service,
            partial(identity_pb2_grpc.add_IdentityServiceServicer_to_server, identity),
        ),
    )
    bootstrap = Bootstrap(hosted, resources, Security(access_tokens, key), f"127.0.0.1:{port}")
    async with serving(bootstrap, 0.1) as bound:
        peers = frozenset({"chat_hub", "identity"})
        channels = Channels("gateway", peers, lambda _: f"127.0.0.1:{bound}", key)
        yield Mesh(
            hub,
            identity,
            channels.to("chat_hub", hub_service),
            channels.to("identity", identity_service),
            access_tokens,
            redis,
        )
        await channels.close()
