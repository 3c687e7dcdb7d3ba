"""Things that servers hold open: opened when first needed, closed in reverse, pinged for health."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
log = structlog.get_logger("kari.resources")

PING_SECONDS = 2.0


class Resource(Generic[T]):
    """One thing that is opened once. `required` says whether its server works without it."""

    def __init__(
        self,
        name: str,
        open_: Callable[[], AbstractAsyncContextManager[T]],
        ping: Callable[[T], Awaitable[object]],
        stack: AsyncExitStack,
        *,
        required: bool,
        ping_seconds: float,
    ) -> None:
        self.name = name
        self.required = required
        self._open = open_
        self._ping = ping
        self._ping_seconds = ping_seconds
        self._stack = stack
        self._lock = asyncio.Lock()
        self._value: T | None = None

    async def get(self) -> T:
        """The thing, opened if it was not."""
        if self._value is None:
            async with self._lock:
                if self._value is None:
                    self._value = await self._stack.enter_async_context(self._open())
        return self._value

    async def ping(self) -> str:
        """Empty if it answers, else what is wrong with it."""
        try:
            async with asyncio.timeout(self._ping_seconds):
                await self._ping(await self.get())
        except TimeoutError:
            return f"no answer within {self._ping_seconds:g} s"
        except Exception as error:  # noqa: BLE001  # a ping's failure is its result, whatever it is
            return f"{type(error).__name__}: {error}"
        return ""


class Resources:
    """The resources of a process. Closing closes what was opened, the last first."""

    def __init__(self, *, ping_seconds: float = PING_SECONDS) -> None:
        self._ping_seconds = ping_seconds
        self._stack = AsyncExitStack()
        self._known: dict[str, Resource[object]] = {}

    def add(
        self,
        name: str,
        open_: Callable[[], AbstractAsyncContextManager[T]],
        ping: Callable[[T], Awaitable[object]],
        *,
        required: bool,
    ) -> Resource[T]:
        """Registers a resource; nothing is opened yet. ValueError if the name is taken."""
        if name in self._known:
            raise ValueError(f"there is a resource {name} already")
        resource = Resource(
            name, open_, ping, self._stack, required=required, ping_seconds=self._ping_seconds
        )
        self._known[name] = resource  # type: ignore[assignment]  # kept for pings only
        return resource

    async def health(self) -> dict[str, tuple[bool, str]]:
        """By name: whether it is required, and what is wrong with it (empty if nothing)."""
        known = list(self._known.values())
        found = await asyncio.gather(*(resource.ping() for resource in known))
        return {r.name: (r.required, wrong) for r, wrong in zip(known, found, strict=True)}

    async def close(self) -> None:
        """Closes everything that was opened."""
        await self._stack.aclose()
