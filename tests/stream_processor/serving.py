"""Servers of the mesh in this process, with their real bootstrap and interceptors, on loopback."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import grpc

from servers.runtime.bootstrap import Bootstrap, Hosted, Security
from servers.runtime.call import Call, Principal, acting
from servers.runtime.channels import Channels
from servers.runtime.ids import new_correlation_id, new_id
from servers.runtime.keys import ensure_keys
from servers.runtime.mesh_key import MeshKey
from servers.runtime.resources import Resources
from servers.runtime.settings import Settings
from servers.wiring import Wiring, contract_of

ALL_ROLES = frozenset({"chat.user", "chat.mode.switch", "chat.config.edit", "chat.persona.change"})


NOBODY = "127.0.0.1:1"


class MeshWiring(Wiring):
    """The wiring of a server whose peers are found through a mesh; start those first. Where the
    others would be nobody listens."""

    def __init__(self, settings: Settings, mesh: "Mesh") -> None:
        super().__init__(settings, ensure_keys(settings))
        self._mesh = mesh

    def address_of(self, peer: str) -> str:
        return self._mesh.addresses.get(peer, NOBODY)


class Mesh:
    """Addresses of servers that tests start, and callers that are let in."""

    def __init__(self, settings: Settings) -> None:
        wiring = Wiring(settings, ensure_keys(settings))
        self.security: Security = wiring.security()
        self.key: MeshKey = wiring.mesh_key
        self.addresses: dict[str, str] = {}
        self._channels: list[Channels] = []

    @asynccontextmanager
    async def serving(
        self, hosted: Hosted, resources: Resources | None = None, *, port: int = 0
    ) -> AsyncIterator[int]:
        """One server on a port of its own, stopped without grace at the end."""
        bootstrap = Bootstrap(
            [hosted], resources or Resources(), self.security, f"127.0.0.1:{port}"
        )
        found = await bootstrap.start()
        self.addresses[hosted.name] = f"127.0.0.1:{found}"
        try:
            yield found
        finally:
            await bootstrap.stop(0)

    def channel(self, caller: str, peer: str) -> grpc.aio.Channel:
        """A channel on which `caller` is the one who calls."""
        channels = Channels(caller, frozenset({peer}), self.addresses.__getitem__, self.key)
        self._channels.append(channels)
        return channels.to(peer, contract_of(peer))

    @contextmanager
    def user(
        self,
        tenant: str = "acme",
        *,
        user_id: str = "",
        roles: frozenset[str] = ALL_ROLES,
        correlation_id: str = "",
    ) -> Iterator[Principal]:
        """Calls made inside are made for this user."""
        who = self.key.delegate(
            "test", user_id=user_id or new_id("user"), tenant_id=tenant, roles=roles
        )
        with acting(Call(correlation_id or new_correlation_id(), principal=who)):
            yield who

    async def close(self) -> None:
        for channels in self._channels:
            await channels.close()
