"""The servers of one process, put together and ready to start."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import TYPE_CHECKING

from servers.composition.trails import reporting, trail_of
from servers.runtime.bootstrap import Bootstrap, Hosted
from servers.topology import NODES, service_of
from servers.wiring import Wiring

if TYPE_CHECKING:
    from gateway.app import Gateway


def put_together(name: str, w: Wiring) -> Hosted:
    """The server of this name, by its module beside this one. That is imported here: without what
    other servers import a process takes half the memory, and half the time to start."""
    hosted: Hosted = import_module(f"servers.composition.{name}").put_together(w)
    return hosted


def bootstrap(w: Wiring, names: Sequence[str], others: Sequence[Hosted] = ()) -> Bootstrap:
    """The named servers, and others that are put together already, ready to start on the port of
    the first."""
    trails = {name: trail_of(w, name) for name in names if "audit" in NODES[name].calls}
    hosted = [*(reporting(put_together(name, w), trails.get(name)) for name in names), *others]
    return Bootstrap(
        hosted,
        w.resources,
        w.security({service_of(name): trail.report for name, trail in trails.items()}),
        w.address_of(hosted[0].name),
        w.port,
        reuse_port=w.settings.several_workers,
    )


def gateway(w: Wiring) -> "AbstractAsyncContextManager[Gateway]":
    """The edge; no server, so it is entered beside them. Imported here, as servers are."""
    from gateway.app import serving_gateway

    return serving_gateway(
        w.settings,
        w.channel("gateway", "chat_hub"),
        w.channel("gateway", "identity"),
        w.redis,
        w.access_tokens,
    )
