"""What is counted."""

from prometheus_client import Counter, Histogram

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
