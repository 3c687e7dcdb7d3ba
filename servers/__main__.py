"""`python -m servers NAME...`: serves the named parts of the mesh in this process."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

import structlog
import uvloop
from prometheus_client import Info

from servers import topology
from servers.composition import mesh
from servers.runtime import garbage
from servers.runtime.bootstrap import serving, until_signalled
from servers.runtime.keys import ensure_keys
from servers.runtime.settings import Misconfigured, Settings, read_settings
from servers.runtime.telemetry import configure_logging, configure_tracing, serve_metrics
from servers.wiring import Wiring, metrics_port

PROCESS = Info("kari_process", "Which of the workers these metrics are of.")

log = structlog.get_logger("kari.main")


def main(arguments: Sequence[str]) -> int:
    """Serves until a signal; gives the exit code."""
    unknown = [name for name in arguments if name not in topology.NODES]
    if unknown or not arguments:
        known = " ".join(topology.NODES)
        sys.stderr.write(f"usage: python -m servers NAME...\nnames: {known}\n")
        return 2
    try:
        settings = read_settings()
        require_stores(arguments, settings)
        configure_logging(settings.log_level)
        uvloop.run(serve(arguments, settings))
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def require_stores(names: Sequence[str], settings: Settings) -> None:
    """Misconfigured, naming each variable, if a store of the named parts has no URL."""
    stores = {store for name in names for store in topology.NODES[name].stores}
    missing = sorted(store for store in stores if getattr(settings, f"{store}_url") is None)
    if missing:
        variables = ", ".join(f"KARI_{store.upper()}_URL" for store in missing)
        raise Misconfigured(
            f"not set, and needed to serve {' '.join(names)}: {variables} "
            "(docs/settings.md; `kari up` brings stores of its own)"
        )


async def serve(names: Sequence[str], settings: Settings) -> None:
    """Serves the named parts until SIGINT or SIGTERM, then drains and stops."""
    garbage.hold()
    label = names[0] if len(names) == 1 else "kari"
    PROCESS.info({"worker": str(settings.worker)})
    provider = configure_tracing(settings, label)
    servers = [name for name in names if name != topology.GATEWAY.name]
    wiring = Wiring(settings, ensure_keys(settings), here=servers)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(wiring.close)
        if servers:
            bootstrap = mesh.bootstrap(wiring, servers)
            await stack.enter_async_context(serving(bootstrap, settings.drain_seconds))
            serve_metrics(metrics_port(servers[0], settings), settings.grpc_host)
        if topology.GATEWAY.name in names:
            await stack.enter_async_context(mesh.gateway(wiring))
        garbage.settle()
        log.info("ready", serving=list(names))
        await until_signalled()
        log.info("stopping")
    if provider is not None:
        await asyncio.to_thread(provider.shutdown)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
