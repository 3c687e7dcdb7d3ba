"""Waiting for what will be true, without guessing how long it takes."""

import asyncio
from collections.abc import Callable

from prometheus_client import REGISTRY

SECONDS = 20.0


async def until(condition: Callable[[], bool]) -> None:
    """Returns when the condition holds; fails if it never does."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # nothing tells us
            await asyncio.sleep(0.01)


def metric(name: str, **labels: str) -> float:
    """A sample of this process's metrics, 0 if it was never written."""
    return REGISTRY.get_sample_value(name, labels) or 0.0
