"""The room of the readers while it opens."""

import asyncio
from contextlib import suppress

from prometheus_client import REGISTRY

from servers.hook_enabled_file import rooms


def starts() -> float:
    """Processes for readers that were started."""
    labels = {"room": "hook_enabled_file"}
    return REGISTRY.get_sample_value("kari_chat_limited_starts_total", labels) or 0.0


async def test_who_does_not_wait_leaves_it_to_others() -> None:
    """A health check that gives up must not end the process for which files wait."""
    room, before = rooms.opened(), starts()
    for _ in range(3):
        waiting = asyncio.create_task(rooms.held(room).__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
    async with rooms.held(room):
        assert await rooms.room_unavailable(room) == ""
        assert starts() == before + 1
