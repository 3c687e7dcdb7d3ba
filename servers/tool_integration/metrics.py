"""What operators see of tools."""

from prometheus_client import Counter, Histogram

CALLS = Counter("kari_chat_tool_calls_total", "Calls of tools, refused ones included.", ("tool",))
LATENCY = Histogram(
    "kari_chat_tool_latency_seconds",
    "From a call's arrival to its result, of calls that ran.",
    ("tool",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 600),
)
ERRORS = Counter(
    "kari_chat_tool_errors_total",
    "Calls that were refused or failed, by reason.",
    ("tool", "error"),
)
LIMITS_ALONE = Counter(
    "kari_chat_tool_limits_alone_total", "Calls counted in this process only, for want of Redis."
)

UNKNOWN = "unknown"
"""The label of tools that are not there: models make names up."""
