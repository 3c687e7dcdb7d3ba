"""Things that are held open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from servers.runtime.resources import Resource, Resources


class Door:
    """Notes who opens and closes it."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name, self.notes = name, notes

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        self.notes.append(f"open {self.name}")
        await asyncio.sleep(0)
        yield self.name
        self.notes.append(f"close {self.name}")


async def fine(_value: object) -> None:
    """A ping that answers."""


def a_resource(resources: Resources, name: str, notes: list[str]) -> Resource[str]:
    return resources.add(name, Door(name, notes).open, fine, required=True)


async def test_nothing_is_opened_before_it_is_needed() -> None:
    notes: list[str] = []
    resources = Resources()
    a_resource(resources, "one", notes)
    await resources.close()
    assert notes == []


async def test_the_last_opened_is_closed_first() -> None:
    notes: list[str] = []
    resources = Resources()
    one, two = (a_resource(resources, name, notes) for name in ("one", "two"))
    await two.get()
    await one.get()
    await resources.close()
    assert notes == ["open two", "open one", "close one", "close two"]


async def test_many_at_once_open_it_once() -> None:
    notes: list[str] = []
    resources = Resources()
    one = a_resource(resources, "one", notes)
    assert set(await asyncio.gather(*(one.get() for _ in range(50)))) == {"one"}
    await resources.close()
    assert notes == ["open one", "close one"]


async def test_an_opening_that_failed_is_tried_again() -> None:
    resources, tries = Resources(), []

    @asynccontextmanager
    async def open_() -> AsyncIterator[int]:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionRefusedError
        yield len(tries)

    one = resources.add("one", open_, fine, required=True)
    with pytest.raises(ConnectionRefusedError):
        await one.get()
    assert await one.get() == 2
    await resources.close()


async def test_health_tells_what_is_wrong_with_which() -> None:
    async def broken(_value: object) -> None:
        raise OSError("no route")

    resources, notes = Resources(), list[str]()
    a_resource(resources, "good", notes)
    resources.add("bad", Door("bad", notes).open, broken, required=False)
    assert await resources.health() == {"good": (True, ""), "bad": (False, "OSError: no route")}
    await resources.close()


async def test_a_ping_that_hangs_is_what_is_wrong() -> None:
    async def hang(_value: Any) -> None:
        await asyncio.Event().wait()

    resources = Resources(ping_seconds=0.01)
    slow = resources.add("slow", Door("slow", []).open, hang, required=True)
    assert "no answer" in await slow.ping()
    await resources.close()


def test_a_name_is_taken_once() -> None:
    """Or the second would hide the first from health."""
    resources = Resources()
    a_resource(resources, "one", [])
    with pytest.raises(ValueError, match="one"):
        a_resource(resources, "one", [])
