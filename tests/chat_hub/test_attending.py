"""Presence over a real Valkey: processes that die, users that come and go at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from servers.chat_hub.attendance import Seat
from servers.chat_hub.attending import Attending, channel_of
from servers.chat_hub.board import Board
from servers.chat_hub.fan_out import FanOut
from servers.chat_hub.mailbox import Mailbox
from servers.chat_hub.store_attendance import KEPT_SECONDS, SharedAttendance
from servers.chat_hub.watcher import Watcher
from servers.runtime import redis
from servers.runtime.resources import Resource, Resources
from servers.runtime.settings import Settings
from tests.stream_processor.valkey import TestValkey

SEAT = Seat("acme", "conv_1", "user_1")


class Process:
    """A hub's part of presence, with one watcher of somebody else."""

    def __init__(self, client: Resource, now: list[float], linger: float = 0) -> None:
        self._board = Board()
        fan_out = FanOut(client, self._board)
        shared = SharedAttendance(client, fan_out.process, lambda: now[0])
        self.attending = Attending(shared, fan_out, linger_seconds=linger)
        self._mailbox = Mailbox("user_2")
        self._joined = self._board.joined([channel_of("acme", "conv_1")], Watcher(self._mailbox))
        self._joined.__enter__()

    def told(self) -> list[bool]:
        """What the watcher was told of presence since the last time."""
        return [news.presence.present for news in iter(self._mailbox.take, None)]

    def end(self) -> None:
        self._joined.__exit__(None, None, None)


Pair = tuple[Process, Process, list[float]]


@pytest_asyncio.fixture
async def pair(valkey: TestValkey) -> AsyncIterator[Pair]:
    """Two processes and the time."""
    resources, settings = Resources(), Settings(redis_url=valkey.url)
    client = resources.add("redis", lambda: redis.open_redis(settings), redis.ping, required=False)
    now = [1000.0]
    one, other = Process(client, now), Process(client, now, linger=600)
    yield one, other, now
    one.end()
    other.end()
    await resources.close()


async def test_a_process_that_died_is_noticed(pair: Pair) -> None:
    dead, alive, now = pair
    await dead.attending.enter([SEAT])
    await alive.attending.enter([SEAT._replace(user_id="user_3")])
    alive.told()
    now[0] += KEPT_SECONDS + 1
    await alive.attending.look_again()
    assert alive.told() == [False]


async def test_a_renewed_seat_stays(pair: Pair) -> None:
    one, other, now = pair
    await one.attending.enter([SEAT])
    await other.attending.enter([SEAT._replace(user_id="user_3")])
    one.told(), other.told()
    for _ in range(5):
        now[0] += KEPT_SECONDS / 2
        await one.attending.look_again()
        await other.attending.look_again()
    assert not one.told()
    assert not other.told()


async def test_who_goes_and_comes_at_once_is_there(pair: Pair) -> None:
    one, _, _ = pair
    await one.attending.enter([SEAT])
    for _ in range(20):
        one.attending.leave([SEAT])
        present = await one.attending.enter([SEAT])
        assert [news.presence.user_id for news in present] == ["user_1"]
    await asyncio.sleep(0)
    assert (one.told() or [True])[-1]


async def test_the_last_tab_of_all_processes_counts(pair: Pair) -> None:
    one, other, _ = pair
    await one.attending.enter([SEAT])
    await other.attending.enter([SEAT])
    await one.attending.close()
    assert True not in other.told()
    assert one.told() == [True]
    await other.attending.close()
    assert other.told() == [False]


async def test_a_stopping_process_leaves_at_once(pair: Pair) -> None:
    one, other, _ = pair
    await one.attending.enter([SEAT])
    await one.attending.close()
    present = await other.attending.enter([SEAT._replace(user_id="user_3")])
    assert [news.presence.user_id for news in present] == ["user_3"]


async def test_who_left_just_before_the_stop_is_gone_too(pair: Pair) -> None:
    """Nobody lingers in a process that ends."""
    one, other, _ = pair
    await other.attending.enter([SEAT])
    other.attending.leave([SEAT])
    await other.attending.close()
    assert other.told() == [False]
    present = await one.attending.enter([SEAT._replace(user_id="user_3")])
    assert [news.presence.user_id for news in present] == ["user_3"]
