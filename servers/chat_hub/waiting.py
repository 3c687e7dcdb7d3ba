"""Bounding the waits of one task with one timer for all of them.

`asyncio.timeout` arms and disarms a timer for each wait, which is for each word of a stream.
"""

import asyncio
import math
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

EXACTNESS = 0.01
"""Seconds by which a limit may be noticed late: limits that differ by less share a timer."""


class Waiting:
    """Waits of one task, of which none may outlast its limit. To be closed when nothing is waited
    for any more."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._until = 0.0
        self._task: asyncio.Task[object] | None = None
        self.late = False
        """Whether the last wait was ended by its limit."""
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, awaited: Awaitable[T], seconds: float) -> T:
        """What is awaited; TimeoutError if it takes longer than so many seconds, and then it is
        cancelled; math.inf is for ever."""
        task = self._task = _this_task()
        self.late, others = False, task.cancelling()
        self._until = self._loop.time() + seconds
        if self._until < math.inf and (
            self._timer is None or self._timer.when() > self._until + EXACTNESS
        ):
            self._arm()
        try:
            return await awaited
        except asyncio.CancelledError as cancelled:
            # One of ours, unless somebody else wants the task to end as well.
            if self.late and task.uncancel() <= others:
                raise TimeoutError from cancelled
            raise
        finally:
            self._task = None

    def close(self) -> None:
        """Forgets the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._until, self._look)

    def _look(self) -> None:
        """The limit has mostly moved on by now."""
        self._timer = None
        if self._task is None:
            return
        if self._loop.time() < self._until:
            self._arm()
        else:
            self.late = True
            self._task.cancel()


def _this_task() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("only a task waits")
    return task
