"""Scenarios that are more than one load: starting, the steps of a turn, the arrows."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from kari.model_factory.v1 import model_factory_pb2
from kari.model_factory.v1.model_factory_pb2 import ListModelsRequest
from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceStub
from servers.runtime.access_tokens import AccessTokens
from servers.runtime.call import Call, acting
from servers.runtime.channels import Channels
from servers.runtime.ids import new_correlation_id
from servers.runtime.keys import key_files, mesh_key
from servers.runtime.settings import Settings
from tests.collector import Collector, Span
from tests.load import traced
from tests.load.bare import CALLS, WARM_CALLS, bare_call
from tests.load.clients import Plan
from tests.load.figures import Figures
from tests.load.measured import spread
from tests.load.system import Provider, kari_running, loaded, tokens_of, unheard
from tests.load.usage import Watched
from tests.running import Kari
from tests.socket_client import login, opened

SOCKETS = 50
REST_SECONDS = 5.0
USERS = 20
"""Whose turns come one by one: one socket may send only so fast."""


async def starts() -> Figures:
    """First start, second start, memory at rest with the local model warm, opening a socket; and a
    start of a spread mesh, with the CPU that all its processes have used by then."""
    with tempfile.TemporaryDirectory() as folder:
        kari = Kari.at(Path(folder) / "data", KARI_MESSAGES_PER_MINUTE="100000")
        first = await _started(kari)
        await kari.stop()
        second = await _started(kari)
        try:
            await kari.command("chat", "--once", "hello")
            await asyncio.sleep(REST_SECONDS)
            rest = Watched(kari, {}).memory()
            sockets = await _socket_times(kari)
        finally:
            await kari.stop()
        kari.spread = True
        apart = await _started(kari)
        watched = Watched(kari, {})
        spent, memory = watched.cpu(), watched.memory()
        await kari.stop()
    return {
        "first_start_s": first,
        "second_start_s": second,
        "spread_start_s": apart,
        "spread_cpu_s": sum(spent.values()),
        "spread_rss_mb": sum(memory.values()),
        "rss_mb": {**rest, "all": sum(rest.values())},
        "open_ms": spread(sockets),
    }


async def steps(provider: Provider, seconds: float) -> Figures:
    """The steps of turns that come one by one. Tracing is on, which slows everything."""
    figures, spans = await _traced(provider, seconds, spread_out=False)
    return {
        "turns": figures["turns"],
        "routing_ms": traced.routing(spans),
        "persist_message_ms": traced.took(spans, "BeginTurn"),
        "persist_answer_ms": traced.took(spans, "FinishTurn"),
        "context_ms": traced.took(spans, "Assemble"),
        "ack_ms": figures["ack_ms"],
        "ttft_ms": figures["ttft_ms"],
    }


async def arrows(provider: Provider, seconds: float) -> Figures:
    """What the arrows of a spread mesh cost: one light call as the servers make it, with all
    interceptors on both sides and without tracing, beside a bare call with grpc.aio alone; and
    what every unary call of a turn takes beyond its callee's time, traced."""
    bare = await bare_call()
    async with kari_running(provider, spread=True) as kari:
        call = spread(await _call_times(kari))
    _, spans = await _traced(provider, seconds, spread_out=True)
    costs = traced.arrows(spans)
    return {
        "bare_call_ms": bare,
        "call_ms": call,
        "call_to_bare": call["p50"] / bare["p50"],
        "traced_arrow_ms": {name: cost["p50"] for name, cost in costs.items()},
    }


async def _call_times(kari: Kari) -> list[float]:
    """Seconds of each of many calls from the orchestrator to the model factory."""
    settings = Settings(data=kari.data)
    token = (await tokens_of(kari, 1))[0]
    who = AccessTokens(key_files(settings).jwks).verify(token)
    key = mesh_key(key_files(settings).mesh)
    channels = Channels("chat_orchestrator", frozenset({"model_factory"}), kari.address, key)
    service = model_factory_pb2.DESCRIPTOR.services_by_name["ModelFactoryService"]
    models = ModelFactoryServiceStub(channels.to("model_factory", service))
    try:
        with acting(Call(new_correlation_id(), principal=who)):
            times = [await _timed(models) for _ in range(WARM_CALLS + CALLS)]
    finally:
        await channels.close()
    return times[WARM_CALLS:]


async def _timed(models: Any) -> float:
    began = time.perf_counter()
    await models.ListModels(ListModelsRequest())
    return time.perf_counter() - began


async def _traced(
    provider: Provider, seconds: float, *, spread_out: bool
) -> tuple[Figures, list[Span]]:
    """Figures and spans of turns that come one by one."""
    async with Collector() as collector:
        endpoint = collector.endpoint
        async with kari_running(provider, spread=spread_out, KARI_OTLP_ENDPOINT=endpoint) as kari:
            tokens = await tokens_of(kari, USERS)
            plan = Plan(kari.http, tokens, "alone", warm_seconds=2.0, seconds=seconds)
            figures = await loaded(plan, unheard)
            await collector.quiet()
        return figures, collector.spans


async def _started(kari: Kari) -> float:
    """Seconds until the line that says ready."""
    began = time.perf_counter()
    await kari.start()
    return time.perf_counter() - began


async def _socket_times(kari: Kari) -> list[float]:
    """Seconds from nothing to the welcome frame."""
    token, times = await login(kari), []
    for _ in range(SOCKETS):
        began = time.perf_counter()
        async with opened(kari, token):
            times.append(time.perf_counter() - began)
    return times
