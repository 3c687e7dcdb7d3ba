"""Reading this process's own metrics."""

import asyncio

from prometheus_client import REGISTRY

LABELS = {
    "kari_chat_requests_total": ("module", "method", "code"),
    "kari_chat_errors_total": ("module", "type", "reason"),
    "kari_chat_request_latency_seconds_count": ("module",),
}


def counted(name: str, values: tuple[str, ...]) -> float:
    """A counter's value; 0 if it never counted."""
    labels = dict(zip(LABELS[name], values, strict=True))
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def counts_up(name: str, values: tuple[str, ...], before: float) -> None:
    """Returns when the counter has gone up by one: servers count after the client knows."""
    async with asyncio.timeout(5):
        while counted(name, values) != before + 1:  # counters tell nobody
            await asyncio.sleep(0.01)
