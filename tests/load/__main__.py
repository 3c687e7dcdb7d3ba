"""`make bench`: starts Kari as users do, measures, prints the table."""

import asyncio
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from servers.runtime.interceptors.metrics import module_of
from tests.collector import Collector, Span
from tests.flow.conftest import models_file
from tests.load.figures import Figure, middle, table
from tests.running import Kari
from tests.socket_client import login, opened
from tests.upstream.server import Upstream

SOCKETS = 50
TURNS = 100
SERVER = 2


async def main() -> None:
    """Measures one Kari, together, from its first start on."""
    with tempfile.TemporaryDirectory() as folder:
        async with Upstream() as upstream:
            figures = [
                *await starts(Path(folder), upstream),
                *await turns(Path(folder), upstream),
            ]
    print(table(figures))


async def starts(folder: Path, upstream: Upstream) -> list[Figure]:
    """First start, second start, memory at rest, sockets. The local model is there and warm."""
    kari = Kari.at(folder / "data", KARI_MESSAGES_PER_MINUTE="100000")
    first = await started(kari)
    await kari.stop()
    second = await started(kari)
    await kari.command("chat", "--once", "hello")
    await asyncio.sleep(5)
    resident = sum(p.memory_full_info().pss for p in kari.processes()) / 1e6
    sockets = await socket_times(kari)
    await kari.stop()
    return [
        Figure("ready, first start", first, "s", 20),
        Figure("ready, second start", second, "s", 6),
        Figure("resident at rest, whole system (PSS)", resident, "MB", 1200),
        Figure("socket open and authenticated, median", middle(sockets) * 1000, "ms", 20),
    ]


async def turns(folder: Path, upstream: Upstream) -> list[Figure]:
    """What the spans of a hundred turns say, one at a time."""
    async with Collector() as collector:
        kari = Kari.at(
            folder / "traced",
            KARI_OTLP_ENDPOINT=collector.endpoint,
            KARI_MODELS_FILE=str(models_file(folder, upstream)),
            KARI_MESSAGES_PER_MINUTE="100000",
        )
        await kari.start()
        acks, first_texts = await turn_times(kari)
        await collector.quiet()
        await kari.stop()
    return [
        Figure("gateway to orchestrator, median", middle(routing(collector.spans)) * 1e3, "ms", 10),
        Figure("turn persisted: message, median", took(collector.spans, "BeginTurn"), "ms", 20),
        Figure("turn persisted: answer, median", took(collector.spans, "FinishTurn"), "ms", 20),
        Figure("message sent to acknowledged, median", middle(acks) * 1000, "ms", 50),
        Figure("message sent to first text, median", middle(first_texts) * 1000, "ms", 1000),
    ]


async def started(kari: Kari) -> float:
    """Seconds until the line that says ready."""
    began = time.perf_counter()
    await kari.start()
    return time.perf_counter() - began


async def socket_times(kari: Kari) -> list[float]:
    """Seconds from nothing to the welcome frame."""
    token, times = await login(kari), []
    for _ in range(SOCKETS):
        began = time.perf_counter()
        async with opened(kari, token):
            times.append(time.perf_counter() - began)
    return times


async def turn_times(kari: Kari) -> tuple[list[float], list[float]]:
    """Seconds to the ack and to the first text of each turn."""
    acks, first_texts = [], []
    async with opened(kari, await login(kari)) as client:
        ack, _ = await client.turn("warm up")
        for number in range(TURNS):
            began = time.perf_counter()
            _, frame_id = await client.say(f"message {number}", ack.conversation_id)
            acks.append(time.perf_counter() - began)
            while not (await client.answer_to(frame_id)).turn_event.HasField("delta"):
                continue
            first_texts.append(time.perf_counter() - began)
            await client.events(frame_id)
    return acks, first_texts


def routing(spans: Iterable[Span]) -> list[float]:
    """Seconds from the gateway's span to the orchestrator's, by trace."""
    begins: dict[str, float] = {}
    arrivals: dict[str, float] = {}
    for span in spans:
        if span.name.endswith("SendMessage"):
            begins[span.trace] = min(span.began, begins.get(span.trace, span.began))
        elif span.kind == SERVER and module_of(f"/{span.name}") == "chat_orchestrator":
            arrivals.setdefault(span.trace, span.began)
    return [arrivals[trace] - begins[trace] for trace in arrivals.keys() & begins.keys()]


def took(spans: Iterable[Span], method: str) -> float:
    """Median milliseconds of a method, as its caller sees it."""
    times = [s.ended - s.began for s in spans if s.kind != SERVER and s.name.endswith(method)]
    return middle(times) * 1000


if __name__ == "__main__":
    asyncio.run(main())
