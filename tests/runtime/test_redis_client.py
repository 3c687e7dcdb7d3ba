"""Commands that come together leave together, and know nothing of each other."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from servers.runtime.redis import open_redis
from servers.runtime.redis_script import Script
from servers.runtime.settings import Settings


@pytest_asyncio.fixture
async def client(settings: Settings) -> AsyncIterator[Redis]:
    async with open_redis(settings) as opened:
        yield opened


async def commands_of(client: Redis) -> int:
    """How many times Redis has been written to by pipelines and lone commands of all clients."""
    return int((await client.info("stats"))["total_reads_processed"])


async def test_everyone_has_the_answer_to_their_own_command(client: Redis) -> None:
    """In the form that redis-py gives it."""
    await asyncio.gather(*(client.set(f"kari:test:{n}", n) for n in range(50)))
    found = await asyncio.gather(
        *(client.get(f"kari:test:{n}") for n in range(50)), client.info("server"), client.ping()
    )
    assert found[:50] == [f"{n}".encode() for n in range(50)]
    assert found[50]["tcp_port"] > 0
    assert found[51] is True


async def test_what_comes_together_leaves_in_few_writes(client: Redis) -> None:
    """The first leaves at once, the others behind it as one."""
    before = await commands_of(client)
    await asyncio.gather(*(client.incr("kari:test:together") for _ in range(40)))
    assert await commands_of(client) - before < 15


async def test_a_command_that_fails_fails_alone(client: Redis) -> None:
    """Those beside it in the pipeline succeed."""
    await client.set("kari:test:text", "no number")
    results = await asyncio.gather(
        client.incr("kari:test:number"),
        client.get("kari:test:text"),
        client.incr("kari:test:text"),
        client.get("kari:test:text"),
        return_exceptions=True,
    )
    assert isinstance(results[2], ResponseError)
    assert (results[1], results[3]) == (b"no number", b"no number")


async def test_a_first_command_that_fails_fails_alone(client: Redis) -> None:
    """Those that came while it was under way are none of its business."""
    await client.set("kari:test:text", "no number")
    results = await asyncio.gather(
        client.incr("kari:test:text"), *(client.ping() for _ in range(3)), return_exceptions=True
    )
    assert isinstance(results[0], ResponseError)
    assert results[1:] == [True, True, True]


async def test_whoever_waits_in_redis_holds_nobody_up(client: Redis) -> None:
    """The wait is over when there is news, which leaves on another connection."""
    waiting = asyncio.create_task(client.xread({"kari:test:news": "$"}, block=1900))
    for _ in range(50):
        await asyncio.sleep(0.002)
        await client.ping()
    assert not waiting.done()
    await client.xadd("kari:test:news", {"a": "b"})
    assert await waiting


async def test_one_that_goes_away_takes_nobody_along(client: Redis) -> None:
    """Cancelled at any moment, whether its command was under way or not."""
    for steps in range(40):
        asked = [asyncio.create_task(client.echo(f"{n}")) for n in range(6)]
        for _ in range(steps):
            await asyncio.sleep(0)
        asked[2].cancel()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [a for n, a in enumerate(answers) if n != 2] == [b"0", b"1", b"3", b"4", b"5"]


async def test_closing_breaks_off_what_is_under_way(settings: Settings) -> None:
    """Nothing is left behind, and whoever asked hears of it."""
    async with open_redis(settings) as client:
        asked = [asyncio.create_task(client.ping()) for _ in range(5)]
        for _ in range(3):
            await asyncio.sleep(0)
    await asyncio.wait(asked, timeout=5)
    assert all(task.done() for task in asked)


async def test_a_redis_that_is_away_is_said_to_all(settings: Settings) -> None:
    nowhere = Settings(data=settings.data, redis_url="redis://127.0.0.1:1")
    async with open_redis(nowhere) as client:
        asked = (client.get(f"{n}") for n in range(5))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(answer, RedisError) for answer in answers)


async def test_a_script_is_sent_once(client: Redis) -> None:
    """Also to a Redis that has forgotten it."""
    script = Script("return {KEYS[1], ARGV[1]}")
    for _ in range(2):
        assert await script.run(client, ["k"], ["a"]) == [b"k", b"a"]
        await client.script_flush()


async def test_an_error_of_a_script_is_its_caller_s(client: Redis) -> None:
    with pytest.raises(ResponseError, match="mine"):
        await Script("return redis.error_reply('mine')").run(client, [], [])
