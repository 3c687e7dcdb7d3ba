"""Counts and times of summaries."""

from prometheus_client import Counter, Histogram

GENERATED = Counter(
    "kari_chat_summaries_generated_total",
    "Summaries by kind (`text` for texts that are kept nowhere) and way (`model`, `extractive`).",
    ("kind", "way"),
)
LATENCY = Histogram(
    "kari_chat_summary_latency_seconds",
    "Time of making a summary, from its texts to its last word.",
    ("kind", "way"),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
FALLBACKS = Counter(
    "kari_chat_summary_fallbacks_total",
    "Summaries that the configured model did not give, by what was wrong.",
    ("cause",),
)
FAILURES = Counter(
    "kari_chat_summary_failures_total",
    "Due summaries that were not made; they are due again when their claims run out.",
    ("cause",),
)
