"""Where a turn's time goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram

from servers.runtime.labelled import labelled

TURNS = Counter("kari_chat_orchestration_total", "Turns led to their end.", ("outcome",))
DEGRADED = Counter(
    "kari_chat_degradations_total", "Turns that ended with a feature missing.", ("feature",)
)
STAGES = Histogram(
    "kari_chat_orchestration_latency_seconds",
    "Time that a stage of a turn took.",
    ("stage",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
LATENCY = Histogram(
    "kari_chat_latency_seconds",
    "Time of a turn from its start to its end, without what it waited for its user.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Times one stage."""
    began = time.perf_counter()
    try:
        yield
    finally:
        labelled(STAGES, name).observe(time.perf_counter() - began)


def awaited(seconds: float) -> None:
    """Notes for how long a turn has waited for its user: no stage of its leader's work."""
    labelled(STAGES, "await").observe(max(0.0, seconds))
