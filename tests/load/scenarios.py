"""The loads, what each is for, and what it should reach."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from tests.load import code as running_code
from tests.load import files as filing
from tests.load import memory, parts
from tests.load.clients import Plan
from tests.load.figures import Figures, Target, least, most
from tests.load.run import SETTLE_SECONDS, beside, on_kari, on_provider, settled
from tests.load.system import Provider, kari_running, loaded, tokens_of, unheard
from tests.running import Kari

DIRECT_SECONDS, SHORT_SECONDS = 5.0, 1.0
"""How long the provider alone is loaded, at most."""


@dataclass
class Bench:
    """What scenarios run with; `short` asks for seconds instead of minutes."""

    provider: Provider
    short: bool
    profile: str
    subprotocol: str
    workers: int
    stack: AsyncExitStack
    _kept: dict[bool, Kari] = field(default_factory=dict)

    def say(self, line: str) -> None:
        """For whoever waits, with the time."""
        print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)

    @asynccontextmanager
    async def kari(self, *, spread: bool) -> AsyncIterator[Kari]:
        """A Kari of its own for each scenario; those of a short run share one of each placement,
        which is less exact."""
        workers = 1 if spread else self.workers
        if not self.short:
            async with kari_running(self.provider, spread=spread, workers=workers) as kari:
                yield kari
            return
        if spread not in self._kept:
            await self.stack.aclose()
            running = kari_running(self.provider, spread=spread, workers=workers)
            self._kept = {spread: await self.stack.enter_async_context(running)}
        yield self._kept[spread]


@dataclass(frozen=True)
class Scenario:
    """A load by its name; one that is not `brief` is no part of a short run, unless named."""

    name: str
    what: str
    run: Callable[[Bench], Awaitable[Figures]]
    targets: tuple[Target, ...]
    brief: bool = True


def load(
    sockets: int, plan: Plan, short: Plan, *, spread: bool = False, warm: bool = False
) -> Callable[[Bench], Awaitable[Figures]]:
    """A scenario that is one plan, on the provider alone first and then on Kari."""

    async def run(bench: Bench) -> Figures:
        chosen = short if bench.short else plan
        most_seconds = SHORT_SECONDS if bench.short else DIRECT_SECONDS
        direct = _direct(bench.provider, sockets, chosen, most_seconds)
        bench.say(f"  the provider alone, {direct.seconds:g} s")
        alone = await on_provider(bench.provider, direct)
        bench.say("  starting Kari")
        async with bench.kari(spread=spread) as kari:
            tokens = await tokens_of(kari, sockets)
            if warm:
                await loaded(Plan(kari.http, tokens[:20], warm_seconds=0.0, seconds=3.0), unheard)
                await settled(kari, 2.0 if bench.short else SETTLE_SECONDS)
            whole = msgspec.structs.replace(
                chosen, url=kari.http, tokens=tokens, subprotocol=bench.subprotocol
            )
            bench.say(f"  Kari, {chosen.warm_seconds:g} s to warm up and {chosen.seconds:g} s")
            figures = await on_kari(
                kari, bench.provider, whole, settle=not bench.short, profile=bench.profile
            )
            return beside(figures, alone)

    return run


def _direct(provider: Provider, connections: int, plan: Plan, most_seconds: float) -> Plan:
    """The same load on the provider, for a shorter time."""
    seconds = min(plan.seconds, most_seconds)
    return msgspec.structs.replace(
        plan,
        url=provider.url,
        tokens=[""] * (plan.active or connections),
        direct=True,
        seconds=seconds,
        warm_seconds=min(plan.warm_seconds, most_seconds / 5),
        chunks=min(plan.chunks, int(plan.rate * seconds) or plan.chunks),
        calls=0,
    )


def planned(**fields: object) -> Plan:
    """A plan whose callers are not known yet."""
    return Plan("", [], **fields)  # type: ignore[arg-type]


async def sockets(bench: Bench) -> Figures:
    """Many sockets, few of them active. The mesh is warm before they open, so that what grows is
    theirs."""
    count = 1000 if bench.short else 5000
    plan = planned(
        how="arrivals",
        per_minute=count / 10,
        active=count // 100,
        warm_seconds=2.0,
        seconds=3.0 if bench.short else 30.0,
    )
    figures = await load(count, plan, plan, warm=True)(bench)
    return {**figures, "socket_kib": figures["opening_mb"] * 1e6 / 1024 / count}


async def starts(_bench: Bench) -> Figures:
    """See parts.starts."""
    return await parts.starts()


async def steps(bench: Bench) -> Figures:
    """See parts.steps."""
    return await parts.steps(bench.provider, 3.0 if bench.short else 10.0)


async def arrows(bench: Bench) -> Figures:
    """See parts.arrows."""
    return await parts.arrows(bench.provider, 2.0 if bench.short else 10.0)


def tools(calls: int) -> Callable[[Bench], Awaitable[Figures]]:
    """Turns that have so many tools called at once: gateway, model, tools, model."""

    async def run(bench: Bench) -> Figures:
        plan = planned(calls=calls, chunks=8, warm_seconds=5.0, seconds=30.0)
        short = planned(calls=calls, chunks=8, warm_seconds=2.0, seconds=3.0)
        figures = await load(50, plan, short)(bench)
        return {**figures, "tool_calls_per_s": figures["turns_per_s"] * calls}

    return run


async def memory_of_many(bench: Bench) -> Figures:
    """See memory.memory."""
    return await memory.memory(bench.provider, 5_000 if bench.short else 100_000, bench.say)


async def code(bench: Bench) -> Figures:
    """See code.code."""
    return await running_code.code(10 if bench.short else 100)


async def files(bench: Bench) -> Figures:
    """See files.files."""
    pieces, times = (96, 3) if bench.short else (1024, 10)
    return await filing.files(bench.provider, pieces, times, bench.say)


NO_ERROR = most("all_errors", 0)

SCENARIOS = (
    Scenario(
        "starts",
        "starting, memory at rest, opening a socket",
        starts,
        (
            most("first_start_s", 20),
            most("second_start_s", 6),
            most("rss_mb.all", 1200),
            most("open_ms.p50", 20),
        ),
        brief=False,
    ),
    Scenario(
        "steps",
        "the steps of turns that come one by one, traced",
        steps,
        (
            most("routing_ms.p50", 10),
            most("persist_message_ms.p95", 20),
            most("persist_answer_ms.p95", 20),
            most("ack_ms.p50", 50),
            most("ttft_ms.p50", 1000),
        ),
        brief=False,
    ),
    Scenario(
        "one",
        "one turn of 64 tokens after the other, 20 sockets in turn",
        load(
            20,
            planned(how="alone", warm_seconds=4.0, seconds=20.0),
            planned(how="alone", warm_seconds=1.0, seconds=2.0),
        ),
        (most("ttft_added_ms.p50", 15), most("ttft_added_ms.p95", 30), NO_ERROR),
    ),
    Scenario(
        "closed_loop",
        "100 sockets, each asks again as soon as it has its answer of 64 tokens",
        load(100, planned(warm_seconds=5.0, seconds=30.0), planned(warm_seconds=2.0, seconds=3.0)),
        (
            least("turns_per_s", 120),
            least("tokens_per_s", 8000),
            least("upstream_share", 0.12),
            NO_ERROR,
        ),
    ),
    Scenario(
        "sheet",
        "100 sockets, 1,000 messages a minute, 64 tokens each",
        load(
            100,
            planned(how="arrivals", per_minute=1000, warm_seconds=5.0, seconds=120.0),
            planned(how="arrivals", per_minute=1000, warm_seconds=1.0, seconds=3.0),
        ),
        (most("e2e_ms.p95", 150), most("system_cores", 0.5), NO_ERROR),
    ),
    Scenario(
        "sockets",
        "5,000 open sockets (1,000 if short), 1 % of them active, ten messages a minute each",
        sockets,
        (most("socket_kib", 40), most("ttft_ms.p95", 100), NO_ERROR),
    ),
    Scenario(
        "long",
        "200 sockets, a stream of 50 tokens a second for 20 s (2 s if short) on each",
        load(
            200,
            planned(how="once", rate=50, chunks=1000, warm_seconds=4.0, seconds=20.0),
            planned(how="once", rate=50, chunks=100, warm_seconds=1.0, seconds=2.0),
        ),
        (most("gap_ms.p99", 100), NO_ERROR),
    ),
    Scenario(
        "spread",
        "one process a server; 100 sockets, closed loop, 64 tokens",
        load(
            100,
            planned(warm_seconds=5.0, seconds=30.0),
            planned(warm_seconds=2.0, seconds=3.0),
            spread=True,
        ),
        (least("turns_per_s", 40), NO_ERROR),
        brief=False,
    ),
    Scenario(
        "arrows",
        "one process a server; what a call costs beside a bare one of grpc.aio",
        arrows,
        (most("call_to_bare", 2),),
        brief=False,
    ),
    Scenario(
        "code",
        "a run of code: Monty, CPython, and CPython whose worker has to be started",
        code,
        (most("monty_ms.p50", 10), most("cpython_cold_ms.p50", 80)),
        brief=False,
    ),
    Scenario(
        "tools",
        "50 sockets, closed loop, each turn has a tool called before its 8 tokens",
        tools(1),
        (least("tool_calls_per_s", 50), NO_ERROR),
    ),
    Scenario(
        "tools_at_once",
        "the same with four tools called at once",
        tools(4),
        (least("tool_calls_per_s", 50), NO_ERROR),
    ),
    Scenario(
        "memory",
        "search, and the context of a turn, among 100,000 messages (5,000 if short)",
        memory_of_many,
        (
            most("words.search_ms.p95", 150),
            most("words.context_ms.p95", 100),
            most("fresh.search_ms.p95", 150),
            most("fresh.context_ms.p95", 100),
            most("all.search_ms.p95", 150),
            most("all.search_one_ms.p95", 150),
            most("all.context_ms.p95", 100),
        ),
        brief=False,
    ),
    Scenario(
        "files",
        "a file of 1 GiB (96 MiB if short) up and down, PDFs until they are found, pages read",
        files,
        filing.TARGETS,
        brief=False,
    ),
)

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
