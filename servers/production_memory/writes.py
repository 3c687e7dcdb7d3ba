"""Counts and times of everything this server writes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram

from servers.runtime.labelled import labelled

WRITES = Counter(
    "kari_chat_memory_writes_total",
    "Writes to memory: turns and messages to Postgres, copies to the session buffer, vectors.",
    ("target", "outcome"),
)
LATENCY = Histogram(
    "kari_chat_memory_write_latency_seconds",
    "Time of one write, from its first statement to its commit.",
    ("target",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


@contextmanager
def written(target: str) -> Iterator[None]:
    """Times and counts the block as one write to `target`."""
    began = time.perf_counter()
    try:
        yield
    except BaseException:
        labelled(WRITES, target, "failed").inc()
        raise
    labelled(LATENCY, target).observe(time.perf_counter() - began)
    labelled(WRITES, target, "written").inc()
