"""Work that comes to its end though whoever waits for it is cancelled, and cancelled again."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Leaving:
    """Processes on their way out."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def see_off(self, work: Coroutine[Any, Any, None]) -> None:
        """Waits for the work, which goes on if the waiting is cancelled."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def gone(self) -> None:
        """Returns when all of it has ended."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
