"""Redis away: before a stream, in the middle of it, for a moment, with or without what it had."""

import asyncio

from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.turn_pb2 import TurnEvent
from kari.errors.v1.errors_pb2 import Reason
from tests.stream_processor.conditions import metric, until
from tests.stream_processor.conftest import Client, StreamProcessors
from tests.stream_processor.events import a_turn, completed, delta, deltas, seqs_of, text_of
from tests.stream_processor.test_streaming import refusal
from tests.stream_processor.valkey import TestValkey

NO_RESUME = Degradation(feature=Feature.FEATURE_RESUME, cause="redis")


def journalled(valkey: TestValkey, turn: str) -> int:
    """Index of the last event in Redis; 0 if there is none."""
    store = valkey.client()
    found = store.xrevrange(f"kari:acme:stream:{turn}", count=1)
    store.close()
    return int(found[0][0].split(b"-")[1]) if found else 0


async def test_a_stream_without_redis_works_and_says_what_is_missing(
    client: Client, valkey: TestValkey
) -> None:
    turn, before = a_turn(), metric("kari_chat_stream_degraded_total", cause="redis")
    valkey.kill()
    opened = await client.open(turn)
    assert list(opened.degradations) == [NO_RESUME]
    assert metric("kari_chat_stream_degraded_total", cause="redis") == before + 1
    await client.append(turn, 1, *deltas("a b"), completed())
    assert text_of(await client.all_events(turn)) == "a b "
    assert (await client.open(turn)).ended


async def test_a_stream_that_only_redis_has_is_unavailable_not_unknown(
    stream_processors: StreamProcessors, valkey: TestValkey
) -> None:
    """So that a reader tries again instead of giving its place up."""
    turn = a_turn()
    async with stream_processors.start() as first, stream_processors.start() as second:
        await first.open(turn)
        valkey.kill()
        assert await refusal(second.all_events(turn)) == Reason.REASON_STORE_UNAVAILABLE
        assert await refusal(second.append(turn, 1, delta("a"))) == Reason.REASON_STORE_UNAVAILABLE


async def test_redis_killed_in_the_middle_of_a_stream_is_not_noticed_by_its_readers(
    client: Client, valkey: TestValkey
) -> None:
    turn, got = a_turn(), list[TurnEvent]()
    await client.open(turn)
    reader = client.follow(turn)
    for index, event in enumerate([*deltas("a b c d e f"), completed()], start=1):
        if index == 3:
            valkey.kill()
        if index == 5:
            valkey.start()
        await client.append(turn, index, event)
        got.append(await anext(reader))
    assert seqs_of(got) == [1, 2, 3, 4, 5, 6, 7]


async def test_what_was_written_without_redis_is_in_it_when_it_is_back(
    stream_processors: StreamProcessors, valkey: TestValkey
) -> None:
    """Even if the stream has ended meanwhile; another process replays it as if nothing had been."""
    turn = a_turn()
    async with stream_processors.start() as first, stream_processors.start() as second:
        await first.open(turn)
        await first.append(turn, 1, *deltas("a b"))
        valkey.kill()
        await first.append(turn, 3, delta("c "), completed())
        valkey.start()
        await until(lambda: journalled(valkey, turn) == 4)
        events = await second.all_events(turn)
    assert text_of(events) == "a b c "
    assert events[-1].position.seq == 4


async def test_a_stream_begun_without_redis_is_in_it_when_it_is_back(
    client: Client, valkey: TestValkey
) -> None:
    turn = a_turn()
    valkey.kill()
    await client.open(turn)
    await client.append(turn, 1, *deltas("a b"))
    valkey.start()
    await until(lambda: journalled(valkey, turn) == 2)
    assert not (await client.open(turn)).degradations


async def test_a_redis_that_lost_everything_gets_the_stream_again(
    stream_processors: StreamProcessors, valkey: TestValkey
) -> None:
    """In the same epoch, so that readers keep their places."""
    turn = a_turn()
    async with stream_processors.start() as first, stream_processors.start() as second:
        await first.open(turn)
        place = await first.append(turn, 1, *deltas("a b"))
        valkey.lose_everything()
        await first.append(turn, 3, delta("c "), completed())
        assert text_of(await second.all_events(turn, place)) == "c "
        assert text_of(await second.all_events(turn)) == "a b c "


async def test_readers_of_a_stream_that_was_begun_anew_are_told_that_their_place_is_gone(
    stream_processors: StreamProcessors, valkey: TestValkey
) -> None:
    turn = a_turn()
    async with stream_processors.start() as first, stream_processors.start() as second:
        await first.open(turn)
        await first.append(turn, 1, delta("old "))
        reader = asyncio.create_task(refusal(first.all_events(turn)))
        valkey.lose_everything()
        await second.open(turn)
        await second.append(turn, 1, delta("new "), completed())
        assert await reader == Reason.REASON_STREAM_NOT_FOUND
        assert text_of(await first.all_events(turn)) == "new "


async def test_a_redis_that_answers_nothing_holds_a_stream_up_once(
    client: Client, valkey: TestValkey
) -> None:
    """The first append waits a second; those after it do not ask."""
    turn, before = a_turn(), metric("kari_chat_stream_journal_failures_total")
    await client.open(turn)
    valkey.freeze()
    for index, event in enumerate([*deltas("a b c d e f g h"), completed()], start=1):
        await client.append(turn, index, event)
    assert text_of(await client.all_events(turn)) == "a b c d e f g h "
    assert metric("kari_chat_stream_journal_failures_total") == before + 1
    valkey.thaw()
    await until(lambda: journalled(valkey, turn) == 9)


async def test_a_full_redis_is_as_good_as_none(client: Client, valkey: TestValkey) -> None:
    turn, store = a_turn(), valkey.client()
    store.config_set("maxmemory", "1")
    opened = await client.open(turn)
    assert list(opened.degradations) == [NO_RESUME]
    await client.append(turn, 1, delta("a "), completed())
    assert text_of(await client.all_events(turn)) == "a "
    store.config_set("maxmemory", "0")
    await until(lambda: journalled(valkey, turn) == 2)
    store.close()
