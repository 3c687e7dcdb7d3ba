"""One suite over every journal of streams."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from servers.runtime import redis
from servers.runtime.resources import Resources
from servers.runtime.settings import Settings
from servers.stream_processor.journal import Journal, StreamKey
from servers.stream_processor.journal_memory import MemoryJournal
from servers.stream_processor.journal_redis import RedisJournal
from servers.stream_processor.sequence import Entry, Mark
from tests.stream_processor.events import a_turn
from tests.stream_processor.valkey import TestValkey

EPOCH = 1_700_000_000_000
OPENING = Entry(Mark(EPOCH), created_at=EPOCH * 1_000_000)


@pytest_asyncio.fixture(scope="module")
async def redis_journal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisJournal]:
    valkey = TestValkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    resources, settings = Resources(), Settings(data=Path("unused"), redis_url=valkey.url)
    client = resources.add("redis", lambda: redis.open_redis(settings), redis.ping, required=True)
    yield RedisJournal(client, ttl=60)
    await resources.close()
    valkey.kill()


@pytest.fixture(params=["memory", "redis"])
def journal(request: pytest.FixtureRequest, redis_journal: RedisJournal) -> Journal:
    return MemoryJournal() if request.param == "memory" else redis_journal


@pytest.fixture
def key() -> StreamKey:
    return StreamKey("tenant", a_turn())


def entry(index: int, *, seq: int | None = None, ended: bool = False, epoch: int = EPOCH) -> Entry:
    mark = Mark(epoch, index, index if seq is None else seq, ended, size=10 * index)
    return Entry(mark, b"events %d\x00\xff" % index, f"corr-{index}", created_at=10**18 + index)


async def test_a_stream_that_nobody_began_is_none(journal: Journal, key: StreamKey) -> None:
    assert await journal.read(key) is None
    assert await journal.append(key, OPENING.mark, [entry(1)]) is None
    assert await journal.read(key) is None


async def test_entries_come_back_as_they_went_in(journal: Journal, key: StreamKey) -> None:
    written = [OPENING, entry(1), entry(3, seq=2), entry(4, seq=3, ended=True)]
    assert await journal.append(key, None, written[:2]) == written[1].mark
    assert await journal.append(key, written[1].mark, written[2:]) == written[3].mark
    assert await journal.read(key) == written


async def test_beginning_a_stream_twice_leaves_the_first(journal: Journal, key: StreamKey) -> None:
    await journal.append(key, None, [OPENING, entry(1)])
    again = Entry(Mark(EPOCH + 5))
    assert await journal.append(key, None, [again]) == entry(1).mark
    assert await journal.read(key) == [OPENING, entry(1)]


async def test_of_two_writers_one_is_ahead_and_the_other_is_told(
    journal: Journal, key: StreamKey
) -> None:
    await journal.append(key, None, [OPENING])
    first, second = entry(2), entry(1)
    assert await journal.append(key, OPENING.mark, [first]) == first.mark
    assert await journal.append(key, OPENING.mark, [second]) == first.mark
    assert await journal.read(key) == [OPENING, first]


async def test_only_what_is_behind_a_mark_is_read(journal: Journal, key: StreamKey) -> None:
    written = [OPENING, entry(1), entry(3), entry(7)]
    await journal.append(key, None, written)
    assert await journal.read(key, Mark(EPOCH, 1)) == written[2:]
    assert await journal.read(key, Mark(EPOCH, 2)) == written[2:]
    assert await journal.read(key, Mark(EPOCH, 7)) == []


async def test_streams_of_other_tenants_do_not_exist(journal: Journal, key: StreamKey) -> None:
    await journal.append(key, None, [OPENING, entry(1)])
    assert await journal.read(key._replace(tenant_id="other")) is None


async def test_news_come_at_once_when_they_are_there(journal: Journal, key: StreamKey) -> None:
    await journal.append(key, None, [OPENING, entry(1), entry(2)])
    assert await journal.news({key: Mark(EPOCH, 1)}, 0.5) == {key: [entry(2)]}


async def test_news_of_any_of_several_streams_are_waited_for(
    journal: Journal, key: StreamKey
) -> None:
    quiet = StreamKey("tenant", a_turn())
    for each in (key, quiet):
        await journal.append(each, None, [OPENING])
    waiting = asyncio.create_task(journal.news({key: OPENING.mark, quiet: OPENING.mark}, 1.5))
    await journal.append(key, OPENING.mark, [entry(1)])
    assert await waiting == {key: [entry(1)]}


async def test_without_news_the_wait_ends(journal: Journal, key: StreamKey) -> None:
    await journal.append(key, None, [OPENING])
    assert await journal.news({key: OPENING.mark}, 0.01) == {}
    assert await journal.news({}, 0.01) == {}


async def test_entries_of_a_new_epoch_are_news(journal: Journal, key: StreamKey) -> None:
    """The reader of the old one sees from them that its place is gone."""
    later = [Entry(Mark(EPOCH + 1)), entry(1, epoch=EPOCH + 1)]
    await journal.append(key, None, later)
    assert await journal.news({key: Mark(EPOCH, 40)}, 0.5) == {key: later}


async def test_many_writers_at_once_add_each_entry_once(journal: Journal, key: StreamKey) -> None:
    await journal.append(key, None, [OPENING])
    tries = [journal.append(key, OPENING.mark, [entry(index)]) for index in range(1, 21)]
    stands = await asyncio.gather(*tries)
    assert len(set(stands)) == 1
    kept = await journal.read(key)
    assert kept is not None
    assert [e.mark for e in kept] == [OPENING.mark, stands[0]]
