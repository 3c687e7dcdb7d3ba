"""Writing and reading streams through a real server and a real Valkey."""

import asyncio

import grpc
import pytest

from kari.conversation_models.v1.turn_pb2 import StreamPosition, TurnEvent
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import from_rpc
from tests.stream_processor.conftest import Client, StreamProcessors
from tests.stream_processor.events import (
    a_turn,
    completed,
    delta,
    deltas,
    kinds_of,
    question,
    reasoning,
    seqs_of,
    text_of,
)
from tests.stream_processor.serving import Mesh
from tests.stream_processor.valkey import TestValkey


async def refusal(call: object) -> Reason.ValueType:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call  # type: ignore[misc]
    return from_rpc(refused.value).reason


async def test_a_new_stream_is_empty_and_durable(client: Client) -> None:
    turn = a_turn()
    opened = await client.open(turn)
    assert (opened.next_index, opened.position.seq, opened.text) == (1, 0, "")
    assert opened.position.stream_id == turn
    assert not opened.ended
    assert not opened.degradations


async def test_a_stream_is_replayed_from_the_start_to_its_end(client: Client) -> None:
    turn = a_turn()
    await client.open(turn)
    position = await client.append(turn, 1, *deltas("one two three"), completed())
    events = await client.all_events(turn)
    assert text_of(events) == "one two three "
    assert kinds_of(events)[-1] == "completed"
    assert events[-1].position == position


async def test_a_reader_that_keeps_up_gets_every_delta(client: Client) -> None:
    """Each one is read before the next is written."""
    turn, got = a_turn(), list[TurnEvent]()
    await client.open(turn)
    reader = client.follow(turn)
    for index, event in enumerate([*deltas("a b c d"), completed()], start=1):
        await client.append(turn, index, event)
        got.append(await anext(reader))
    assert seqs_of(got) == [1, 2, 3, 4, 5]


async def test_a_reader_from_a_place_gets_what_comes_after_it(client: Client) -> None:
    turn = a_turn()
    epoch = (await client.open(turn)).position.epoch
    await client.append(turn, 1, *deltas("a b c"), completed())
    after = StreamPosition(stream_id=turn, epoch=epoch, seq=2)
    assert text_of(await client.all_events(turn, after)) == "c "


async def test_a_reader_that_has_seen_the_end_gets_nothing_more(client: Client) -> None:
    turn = a_turn()
    await client.open(turn)
    end = await client.append(turn, 1, delta("a"), completed())
    assert await client.all_events(turn, end) == []


async def test_repeated_appends_change_nothing(client: Client) -> None:
    turn = a_turn()
    await client.open(turn)
    first = await client.append(turn, 1, *deltas("a b"))
    assert await client.append(turn, 1, *deltas("a b")) == first
    await client.append(turn, 2, *deltas("b c"), completed())
    end = await client.append(turn, 4, completed())
    assert end.seq == 4
    assert text_of(await client.all_events(turn)) == "a b c "


async def test_a_stream_begins_with_the_events_it_is_opened_with(client: Client) -> None:
    turn = a_turn()
    opened = await client.open(turn, delta("a "))
    assert (opened.position.seq, opened.next_index, opened.text) == (1, 2, "a ")
    await client.append(turn, 2, delta("b "), completed())
    events = await client.all_events(turn)
    assert text_of(events) == "a b "
    assert seqs_of(events)[-1] == 3


async def test_a_stream_that_has_events_does_not_begin_again(
    stream_processors: StreamProcessors,
) -> None:
    turn = a_turn()
    async with stream_processors.start() as first, stream_processors.start() as second:
        await first.open(turn, delta("a "))
        assert (await first.open(turn, delta("a "))).next_index == 2
        assert (await second.open(turn, delta("a "))).next_index == 2


async def test_a_stream_without_events_gets_its_first_ones_when_it_is_opened_again(
    stream_processors: StreamProcessors,
) -> None:
    turn = a_turn()
    async with stream_processors.start() as first, stream_processors.start() as second:
        await first.open(turn)
        assert (await second.open(turn, delta("a "))).next_index == 2
        assert (await first.open(turn, delta("a "))).next_index == 2


async def test_many_streams_at_once_keep_to_themselves(client: Client) -> None:
    """Their appends share commands of the journal."""
    turns = [a_turn() for _ in range(30)]
    await asyncio.gather(*(client.open(turn, delta(turn)) for turn in turns))
    await asyncio.gather(*(client.append(turn, 2, delta(" "), completed()) for turn in turns))
    read = await asyncio.gather(*(client.all_events(turn) for turn in turns))
    assert [text_of(events) for events in read] == [f"{turn} " for turn in turns]


async def test_a_gap_and_a_late_event_are_refused(client: Client) -> None:
    turn = a_turn()
    await client.open(turn)
    assert await refusal(client.append(turn, 2, delta("b"))) == Reason.REASON_STREAM_GAP
    await client.append(turn, 1, completed())
    assert await refusal(client.append(turn, 2, delta("late"))) == Reason.REASON_TURN_ENDED


async def test_each_event_carries_the_correlation_id_of_its_append(
    client: Client, mesh: Mesh
) -> None:
    turn = a_turn()
    await client.open(turn)
    with mesh.user(correlation_id="corr-1"):
        await client.append(turn, 1, delta("a"))
    with mesh.user(correlation_id="corr-2"):
        await client.append(turn, 2, completed())
    events = await client.all_events(turn)
    assert [e.correlation_id for e in events] == ["corr-1", "corr-2"]


async def test_reasoning_stays_inside_unless_configured(
    client: Client, stream_processors: StreamProcessors
) -> None:
    turn, open_turn = a_turn(), a_turn()
    await client.open(turn)
    await client.append(turn, 1, reasoning("secret"), delta("a"), completed())
    assert kinds_of(await client.all_events(turn)) == ["delta", "completed"]
    assert (await client.open(turn)).next_index == 4
    async with stream_processors.start(expose_reasoning=True) as other:
        await other.open(open_turn)
        await other.append(open_turn, 1, reasoning("shown"), completed())
        assert kinds_of(await other.all_events(open_turn)) == ["reasoning", "completed"]


async def test_reasoning_alone_moves_the_index_and_wakes_nobody(client: Client) -> None:
    turn = a_turn()
    await client.open(turn)
    reader = client.follow(turn)
    await client.append(turn, 1, reasoning("hm"))
    await client.append(turn, 2, delta("a"))
    assert (await anext(reader)).delta.text == "a"
    assert (await client.open(turn)).next_index == 3


async def test_opening_again_says_how_far_the_stream_is(client: Client) -> None:
    turn = a_turn()
    await client.open(turn)
    position = await client.append(turn, 1, *deltas("so far"))
    taken = await client.open(turn)
    assert (taken.position, taken.next_index, taken.text) == (position, 3, "so far ")
    await client.append(turn, 3, completed())
    assert (await client.open(turn)).ended


async def test_a_stream_of_another_tenant_is_not_there(client: Client, mesh: Mesh) -> None:
    turn = a_turn()
    await client.open(turn)
    await client.append(turn, 1, delta("secret"))
    with mesh.user("other"):
        assert await refusal(client.all_events(turn)) == Reason.REASON_STREAM_NOT_FOUND
        assert (await client.open(turn)).text == ""
        assert await refusal(client.append(turn, 2, delta("x"))) == Reason.REASON_STREAM_GAP


async def test_unknown_streams_and_places_are_not_there(client: Client) -> None:
    turn = a_turn()
    assert await refusal(client.all_events(turn)) == Reason.REASON_STREAM_NOT_FOUND
    assert await refusal(client.append(turn, 1, delta("a"))) == Reason.REASON_STREAM_NOT_FOUND
    here = (await client.open(turn)).position
    beyond = StreamPosition(stream_id=turn, epoch=here.epoch, seq=1)
    assert await refusal(client.all_events(turn, beyond)) == Reason.REASON_STREAM_NOT_FOUND
    await client.append(turn, 1, delta("a"), completed())
    other_epoch = StreamPosition(stream_id=turn, epoch=here.epoch + 1, seq=1)
    assert await refusal(client.all_events(turn, other_epoch)) == Reason.REASON_STREAM_NOT_FOUND


async def test_the_place_before_the_first_event_is_the_same_in_every_epoch(client: Client) -> None:
    turn = a_turn()
    await client.open(turn)
    await client.append(turn, 1, delta("a"), completed())
    start = StreamPosition(stream_id=turn)
    assert kinds_of(await client.all_events(turn, start)) == ["delta", "completed"]


async def test_rubbish_is_refused_and_nothing_is_written(client: Client) -> None:
    turn = a_turn()
    await client.open(turn)
    for call in (
        client.open("turn_x"),
        client.append(turn, 0, delta("a")),
        client.append(turn, 1),
        client.append(turn, 1, TurnEvent()),
        client.append(turn, 1, *[delta("a")] * 1001),
    ):
        assert await refusal(call) == Reason.REASON_FIELD_INVALID
    assert (await client.open(turn)).next_index == 1


async def test_what_is_written_lapses(
    stream_processors: StreamProcessors, valkey: TestValkey
) -> None:
    turn = a_turn()
    async with stream_processors.start(stream_ttl_seconds=77) as client:
        await client.open(turn)
        await client.append(turn, 1, delta("a"))
    store = valkey.client()
    (key,) = store.keys()
    assert key == f"kari:acme:stream:{turn}".encode()
    assert 70 < int(store.ttl(key)) <= 77
    store.close()


async def test_the_stream_of_a_turn_that_waits_for_its_user_lapses_after_that(
    stream_processors: StreamProcessors, valkey: TestValkey
) -> None:
    """And as every other one once it has gone on."""
    turn = a_turn()
    async with stream_processors.start(stream_ttl_seconds=77) as client:
        await client.open(turn)
        await client.append(turn, 1, delta("a"), question(1000))
        store = valkey.client()
        (key,) = store.keys()
        waiting = int(store.ttl(key))
        await client.append(turn, 3, delta("b"))
        gone_on = int(store.ttl(key))
    assert (1070 < waiting <= 1077, 70 < gone_on <= 77) == (True, True)
    store.close()


async def test_a_slow_reader_gets_many_deltas_as_one_and_misses_none(client: Client) -> None:
    """What piled up while it did not read comes together."""
    turn = a_turn()
    await client.open(turn)
    words = [f"w{i} " for i in range(5000)]
    reader = client.follow(turn)
    for start in range(0, len(words), 500):
        await client.append(turn, start + 1, *map(delta, words[start : start + 500]))
    await client.append(turn, len(words) + 1, completed())
    events = [event async for event in reader]
    assert text_of(events) == "".join(words)
    assert len(events) < 50
    assert events[-1].position.seq == len(words) + 1


async def test_many_readers_see_the_same(client: Client) -> None:
    turn = a_turn()
    await client.open(turn)
    readers = [asyncio.create_task(client.all_events(turn)) for _ in range(20)]
    for index, event in enumerate([*deltas("a b c d e f g"), completed()], start=1):
        await client.append(turn, index, event)
    for events in await asyncio.gather(*readers):
        assert text_of(events) == "a b c d e f g "
        assert events[-1].position.seq == 8
