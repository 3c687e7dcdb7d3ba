"""How often a tool may be called: the same in Redis and without it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from embedded.stores import EmbeddedStores
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime import redis
from servers.runtime.call import Principal
from servers.runtime.errors import RateLimited
from servers.runtime.ids import new_id
from servers.runtime.resources import Resource, Resources
from servers.runtime.settings import Settings
from servers.tool_integration.limits import Limits
from servers.tool_integration.tool import Tool
from tests.hosting import settings_for


class Clock:
    """A clock that stands still unless told otherwise."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def tool(minute: int = 0, hour: int = 0, tool_id: str = "t") -> Tool:
    return Tool(tool_id, "t", "t", {"type": "object"}, calls_per_minute=minute, calls_per_hour=hour)


def somebody() -> Principal:
    return Principal(new_id("user"), new_id("tenant"), frozenset())


@pytest_asyncio.fixture(params=["redis", "process"])
async def limited(
    request: pytest.FixtureRequest, stores: EmbeddedStores, tmp_path: Path
) -> AsyncIterator[tuple[Limits, Clock]]:
    """Limits that count in Redis, and limits whose Redis is not there."""
    settings = settings_for(stores, tmp_path)
    if request.param == "process":
        settings = Settings(data=tmp_path)
    resources, clock = Resources(), Clock()
    yield Limits(_redis(resources, settings), clock), clock
    await resources.close()


def _redis(resources: Resources, settings: Settings) -> "Resource[Redis]":
    return resources.add("redis", lambda: redis.open_redis(settings), redis.ping, required=False)


async def test_a_minute_has_so_many_calls(limited: tuple[Limits, Clock]) -> None:
    """And says when there is room again; then there is."""
    (limits, clock), who = limited, somebody()
    for _ in range(3):
        await limits.take(tool(3), who)
        clock.now += 10
    with pytest.raises(RateLimited) as caught:
        await limits.take(tool(3), who)
    assert caught.value.reason == Reason.REASON_TOOL_RATE
    assert caught.value.details == {"limit": "3", "window": "minute"}
    assert caught.value.retry_after == pytest.approx(30)
    clock.now += 31
    await limits.take(tool(3), who)


async def test_an_hour_has_so_many_calls(limited: tuple[Limits, Clock]) -> None:
    """However few they are a minute."""
    (limits, clock), who = limited, somebody()
    for _ in range(4):
        await limits.take(tool(2, 4), who)
        clock.now += 120
    with pytest.raises(RateLimited) as caught:
        await limits.take(tool(2, 4), who)
    assert caught.value.details["window"] == "hour"
    assert caught.value.retry_after == pytest.approx(3600 - 480)


async def test_calls_that_are_refused_are_not_counted(limited: tuple[Limits, Clock]) -> None:
    """Whoever keeps trying is let in as early as whoever waits."""
    (limits, clock), who = limited, somebody()
    await limits.take(tool(1), who)
    for _ in range(20):
        clock.now += 3
        if clock.now - 1_800_000_000 < 60:
            with pytest.raises(RateLimited):
                await limits.take(tool(1), who)
    await limits.take(tool(1), who)


async def test_users_tenants_and_tools_are_counted_each_by_itself(
    limited: tuple[Limits, Clock],
) -> None:
    limits, _ = limited
    who = somebody()
    elsewhere = Principal(who.user_id, new_id("tenant"), frozenset())
    for principal, tool_id in ((who, "t"), (who, "u"), (somebody(), "t"), (elsewhere, "t")):
        await limits.take(tool(1, 1, tool_id), principal)
    with pytest.raises(RateLimited):
        await limits.take(tool(1), who)


async def test_a_tool_without_limits_asks_nobody(limited: tuple[Limits, Clock]) -> None:
    limits, _ = limited
    who = somebody()
    for _ in range(50):
        await limits.take(tool(), who)


async def test_counting_alone_is_counted(tmp_path: Path) -> None:
    """Operators see that limits hold for each process by itself."""
    resources = Resources()
    limits = Limits(_redis(resources, Settings(data=tmp_path)))
    before = REGISTRY.get_sample_value("kari_chat_tool_limits_alone_total") or 0.0
    await limits.take(tool(5), somebody())
    assert REGISTRY.get_sample_value("kari_chat_tool_limits_alone_total") == before + 1
    await resources.close()
