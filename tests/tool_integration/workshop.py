"""Tool integration with tools of the tests' own, beside a real trail."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from kari.audit.v1.audit_pb2 import AppendRequest
from kari.audit.v1.audit_pb2_grpc import AuditServiceStub
from kari.tool_integration.v1.tool_integration_pb2_grpc import (
    add_ToolIntegrationServiceServicer_to_server,
)
from servers import topology
from servers.composition import mesh
from servers.runtime.audit_trail import AuditTrail
from servers.runtime.bootstrap import Hosted, serving
from servers.runtime.keys import ensure_keys
from servers.runtime.settings import Settings
from servers.tool_integration.calling import Calling
from servers.tool_integration.checking import Checking
from servers.tool_integration.limits import Limits
from servers.tool_integration.listing import Listing
from servers.tool_integration.recording import Recording
from servers.tool_integration.registry import Adjust, Registry
from servers.tool_integration.servicer import ToolIntegration
from servers.tool_integration.source import Source
from servers.tool_integration.tool import Invocation, Offer, Tool
from servers.wiring import Wiring, contract_of
from tests.running import free_block

NAME = "tool_integration"
ANYTHING = {"type": "object"}

Does = Callable[[Mapping[str, Any], Invocation], Awaitable[Any]]


def offer(tool_id: str, does: Does, *, unavailable: str = "", **more: Any) -> Offer:
    """A tool that takes anything, unless `more` says otherwise."""
    given = {"name": tool_id, "description": f"Does {tool_id}.", "parameters": ANYTHING} | more
    return Offer(Tool(tool_id, **given), does, unavailable)


@asynccontextmanager
async def workshop(
    settings: Settings,
    *sources: Source,
    adjust: Adjust = lambda offer: offer,
    names: Sequence[str] = ("audit",),
) -> AsyncIterator[Wiring]:
    """Serves tools of these sources, and the named servers beside them."""
    here = settings.model_copy(update={"grpc_port": free_block(len(topology.SERVERS))})
    wiring = Wiring(here, ensure_keys(here), here=(*names, NAME))
    hosted = _hosted(wiring, Registry(sources, adjust))
    async with serving(mesh.bootstrap(wiring, names, (hosted,)), 2.0):
        yield wiring
    await wiring.close()


def _hosted(wiring: Wiring, registry: Registry) -> Hosted:
    stub = wiring.stub(NAME, "audit", AuditServiceStub)
    trail = AuditTrail(lambda entries: stub.Append(AppendRequest(entries=entries)))
    calling = Calling(registry, Checking(Limits(wiring.redis), registry.unknown), Recording(trail))
    return Hosted(
        NAME,
        contract_of(NAME),
        partial(
            add_ToolIntegrationServiceServicer_to_server,
            ToolIntegration(Listing(registry), calling),
        ),
        loops=(trail.run,),
        flush=trail.flush,
        close=trail.close,
    )
