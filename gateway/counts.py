"""Metrics of the gateway's sockets."""

from prometheus_client import Counter, Gauge

CONNECTIONS = Counter(
    "kari_chat_connections_total", "WebSockets asked for, by what became of them.", ("outcome",)
)
ACTIVE = Gauge("kari_chat_active_sessions", "Open WebSockets.")
FORWARDED = Counter(
    "kari_chat_messages_forwarded_total", "Calls to the hub for clients.", ("method",)
)
REFUSED = Counter(
    "kari_gateway_frames_refused_total",
    "Client frames that were none of the contract.",
    ("reason",),
)
CLOSED = Counter("kari_gateway_closed_total", "WebSockets that ended, by close code.", ("code",))
SLOW_READERS = Counter(
    "kari_gateway_slow_readers_total", "WebSockets closed because their reader took nothing."
)
UNSHARED = Counter("kari_gateway_unshared_limits_total", "Limits that were counted without Redis.")
