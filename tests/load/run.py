"""One load on Kari, and the same load on its provider alone, in one run."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from tests.load.clients import Plan
from tests.load.exported import Exported, scraped, stages
from tests.load.measured import less
from tests.load.profiling import profiled
from tests.load.system import Provider, loaded
from tests.load.usage import Watched, spent
from tests.running import Kari

OUTSIDE = ("upstream", "clients")
"""Parts that are none of Kari."""

IDLE_CORES = 0.1
SETTLE_SECONDS = 60.0


@dataclass
class Meter:
    """Reads CPU and metrics where the time that counts begins and ends."""

    kari: Kari | None
    provider: Provider
    cpu: list[dict[str, float]] = field(default_factory=list)
    exported: list[Exported] = field(default_factory=list)
    kari_mb: list[float] = field(default_factory=list)

    async def heard(self, word: str, clients: int) -> None:
        """Memory at `open`, the rest at `began` and `ended`."""
        if word == "open" and self.kari is not None:
            self.remember()
        if word in ("began", "ended"):
            others = {"upstream": self.provider.process.pid, "clients": clients}
            self.cpu.append(Watched(self.kari, others).cpu())
            if self.kari is not None:
                self.exported.append(await scraped(self.kari))

    def remember(self) -> None:
        """Reads the memory of Kari's servers."""
        self.kari_mb.append(Watched(self.kari, {}).memory()["kari"])

    def figures(self, turns: int, seconds: float) -> dict[str, object]:
        """CPU by turn and in cores, by part and of Kari with its stores; mean times of stages."""
        used = spent(*self.cpu)
        system = sum(s for part, s in used.items() if part not in OUTSIDE)
        return {
            "cpu_ms_per_turn": {part: s * 1000 / max(turns, 1) for part, s in used.items()},
            "cpu_cores": {part: s / seconds for part, s in used.items()},
            "system_cores": system / seconds,
            **({"stages_ms": stages(*self.exported)} if self.exported else {}),
        }


async def on_kari(
    kari: Kari, provider: Provider, plan: Plan, *, settle: bool = True, profile: str = ""
) -> dict[str, Any]:
    """The figures of a load on Kari; with `settle` those of what it does behind its answers too.
    With a name of a file for a `profile` it is drawn while the load counts."""
    meter = Meter(kari, provider)
    meter.remember()
    async with AsyncExitStack() as stack:

        async def heard(word: str, clients: int) -> None:
            await meter.heard(word, clients)
            if word == "began" and profile:
                await stack.enter_async_context(profiled(kari, profile, plan.seconds))

        figures = await loaded(plan, heard)
    memory = Watched(kari, {}).memory()
    return {
        **figures,
        **meter.figures(figures["turns"], figures["seconds"]),
        "rss_mb": memory,
        "opening_mb": meter.kari_mb[1] - meter.kari_mb[0],
        **(await settled(kari) if settle else {}),
    }


async def on_provider(provider: Provider, plan: Plan) -> dict[str, Any]:
    """The figures of the same load on the provider alone."""
    meter = Meter(None, provider)
    figures = await loaded(plan, meter.heard)
    return {**figures, **meter.figures(figures["turns"], figures["seconds"])}


async def settled(kari: Kari, most_seconds: float = SETTLE_SECONDS) -> dict[str, object]:
    """How long Kari was busy after the load, and with how much CPU: the jobs that turns left."""
    watched, began = Watched(kari, {}), asyncio.get_running_loop().time()
    first = before = sum(watched.cpu().values())
    while True:
        await asyncio.sleep(1)
        now, after = asyncio.get_running_loop().time(), sum(watched.cpu().values())
        if after - before < IDLE_CORES or now - began > most_seconds:
            return {"after_s": now - began - 1, "after_cpu_s": before - first}
        before = after


def beside(figures: dict[str, Any], alone: dict[str, Any]) -> dict[str, Any]:
    """Kari's figures with those of the provider alone."""
    return {
        **figures,
        "upstream_turns_per_s": alone["turns_per_s"],
        "upstream_share": figures["turns_per_s"] / max(alone["turns_per_s"], 1e-9),
        "upstream_ttft_ms": alone["ttft_ms"],
        "upstream_e2e_ms": alone["e2e_ms"],
        "upstream_gap_ms": alone["gap_ms"],
        "upstream_cpu_ms_per_turn": alone["cpu_ms_per_turn"],
        "ttft_added_ms": less(figures["ttft_ms"], alone["ttft_ms"]),
    }
