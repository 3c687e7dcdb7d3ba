"""A client of a running mesh, with the rights of the operator or of a user."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import grpc

from kari.audit.v1 import audit_pb2, audit_pb2_grpc
from kari.capsules.v1 import capsules_pb2, capsules_pb2_grpc
from kari.chat_hub.v1 import chat_hub_pb2, chat_hub_pb2_grpc
from kari.identity.v1 import identity_pb2, identity_pb2_grpc
from kari.identity.v1.identity_pb2 import IssueTokenRequest, IssueTokenResponse
from kari.production_memory.v1 import production_memory_pb2, production_memory_pb2_grpc
from servers import topology
from servers.runtime.call import Call, Principal, enter
from servers.runtime.channels import Channels
from servers.runtime.errors import envelope_of
from servers.runtime.ids import new_correlation_id
from servers.runtime.keys import key_files, mesh_key
from servers.runtime.mesh_key import OPERATOR
from servers.runtime.settings import Placement, Settings

if TYPE_CHECKING:
    from kari.audit.v1.audit_pb2_grpc import AuditServiceAsyncStub
    from kari.capsules.v1.capsules_pb2_grpc import CapsulesServiceAsyncStub
    from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceAsyncStub
    from kari.identity.v1.identity_pb2_grpc import IdentityServiceAsyncStub
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )


class NotRunning(Exception):
    """There is no mesh to talk to, or no right to; the message says what to do."""


@dataclass(frozen=True)
class Mesh:
    """The servers that people and operators call."""

    hub: "ChatHubServiceAsyncStub"
    identity: "IdentityServiceAsyncStub"
    memory: "ProductionMemoryServiceAsyncStub"
    audit: "AuditServiceAsyncStub"
    capsules: "CapsulesServiceAsyncStub"

    async def sign_in(self, user: str, tenant: str) -> IssueTokenResponse:
        """Issues a token as the operator and acts as that user from now on."""
        # As the operator alone: with a token of before, it would be refused once that has ended.
        enter(Call(new_correlation_id()))
        response = await self.identity.IssueToken(IssueTokenRequest(tenant=tenant, name=user))
        act_as(response)
        return response


def act_as(account: IssueTokenResponse) -> None:
    """Acts as a user who is signed in, from now on in this task, under a new correlation id."""
    principal = Principal(
        account.user.id,
        account.user.tenant_id,
        frozenset(account.user.roles),
        token=account.tokens.access_token,
    )
    enter(Call(new_correlation_id(), principal=principal))


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Mesh]:
    """A client of the mesh of the settings. NotRunning if its key is not there."""
    file = key_files(settings).mesh
    if not file.exists():
        raise NotRunning(
            f"no mesh key at {file}: run `kari up` first, or set KARI_DATA or KARI_MESH_KEY_FILE"
        )
    channels = Channels(
        OPERATOR,
        frozenset({"chat_hub", "identity", "production_memory", "audit", "capsules"}),
        partial(_address, settings),
        mesh_key(file),
    )
    hub = channels.to("chat_hub", chat_hub_pb2.DESCRIPTOR.services_by_name["ChatHubService"])
    identity = channels.to("identity", identity_pb2.DESCRIPTOR.services_by_name["IdentityService"])
    memory = channels.to(
        "production_memory",
        production_memory_pb2.DESCRIPTOR.services_by_name["ProductionMemoryService"],
    )
    trail = channels.to("audit", audit_pb2.DESCRIPTOR.services_by_name["AuditService"])
    skills = channels.to("capsules", capsules_pb2.DESCRIPTOR.services_by_name["CapsulesService"])
    try:
        yield Mesh(
            chat_hub_pb2_grpc.ChatHubServiceStub(hub),
            identity_pb2_grpc.IdentityServiceStub(identity),
            production_memory_pb2_grpc.ProductionMemoryServiceStub(memory),
            audit_pb2_grpc.AuditServiceStub(trail),
            capsules_pb2_grpc.CapsulesServiceStub(skills),
        )
    except grpc.aio.AioRpcError as error:
        # A server that answers says what is unavailable.
        if error.code() is grpc.StatusCode.UNAVAILABLE and envelope_of(error) is None:
            address = f"{settings.grpc_host}:{settings.grpc_port}"
            raise NotRunning(
                f"nothing answers on {address}: run `kari up`, or set KARI_GRPC_PORT"
            ) from error
        raise
    finally:
        await channels.close()


def _address(settings: Settings, name: str) -> str:
    spread = settings.placement is Placement.SPREAD
    return f"{settings.grpc_host}:{topology.port_of(name, settings.grpc_port, spread=spread)}"
