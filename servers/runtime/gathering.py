"""Work that comes while other work of its kind is under way leaves together, as one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from servers.runtime.steps import Steps

T = TypeVar("T")
R = TypeVar("R")


class Gathering(Generic[T, R]):
    """Gives what is asked to `do`, one group at a time: all that has come together while the last
    group was done, at most `most` of it. What comes alone is done at once."""

    def __init__(
        self,
        do: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        most: int,
        steps: Steps | None = None,
    ) -> None:
        """`do` gives an answer to each, in order; what it raises is raised to all of its group and
        to those who wait behind it. With `steps` each group is one: they are larger and rarer while
        this process has more to do than it can."""
        self._do = do
        self._most = most
        self._steps = steps
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._doing: asyncio.Task[None] | None = None

    async def ask(self, one: T) -> R:
        """The answer. Who is cancelled meanwhile leaves what was asked to be done or not."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, answer))
        if self._doing is None:
            self._doing = asyncio.create_task(self._do_all())
        return await answer

    async def close(self) -> None:
        """Breaks off what is under way; whoever waits for it is cancelled."""
        doing = self._doing
        if doing is not None:
            doing.cancel()
            await asyncio.wait({doing})

    async def _do_all(self) -> None:
        try:
            while self._waiting:
                if self._steps is not None:
                    await self._steps.next()
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._answer(group)
        finally:
            self._doing = None
            # None are left, unless the wait for the next step was broken off.
            for _, future in self._waiting:
                future.cancel()
            self._waiting = []

    async def _answer(self, group: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._do([one for one, _ in group])
        except BaseException as error:
            group += self._waiting
            self._waiting = []
            for _, future in group:
                _fail(future, error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), answer in zip(group, answers, strict=True):
            if not future.done():
                future.set_result(answer)


def _fail(future: "asyncio.Future[R]", error: BaseException) -> None:
    if future.done():
        return
    if isinstance(error, Exception):
        future.set_exception(error)
        # Whoever asked may be gone by the time it is told; that is no defect to be logged.
        future.exception()
    else:
        future.cancel()
