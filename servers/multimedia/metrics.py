"""What is counted."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram

from servers.runtime.labelled import labelled

FILES = Counter(
    "kari_chat_media_files_total", "Files that were read, by kind and outcome.", ["kind", "outcome"]
)
LATENCY = Histogram(
    "kari_chat_media_seconds",
    "How long readers take with a file.",
    ["reader"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
EXTERNAL = Counter(
    "kari_chat_media_external_calls_total",
    "Calls to services outside, by reader and outcome.",
    ["reader", "outcome"],
)


@contextmanager
def timed(reader: str) -> Iterator[None]:
    """Measures how long a reader takes, however it ends."""
    began = time.monotonic()
    try:
        yield
    finally:
        labelled(LATENCY, reader).observe(time.monotonic() - began)
