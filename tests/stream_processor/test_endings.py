"""Readers that leave, writers that die, servers that are stopped."""

import asyncio
from contextlib import AsyncExitStack

import grpc

from kari.conversation_models.v1.turn_pb2 import TurnEvent
from kari.stream_processor.v1.stream_processor_pb2 import FollowRequest
from tests.stream_processor.conditions import metric, until
from tests.stream_processor.conftest import Client, StreamProcessors
from tests.stream_processor.events import a_turn, completed, delta, deltas, seqs_of, text_of

FOLLOWERS = "kari_chat_stream_followers"


async def test_two_hundred_readers_that_leave_leave_nothing_behind(client: Client) -> None:
    """Half of them wait for news, half have been sent some."""
    turn, before = a_turn(), metric(FOLLOWERS)
    await client.open(turn)
    calls = [client.stub.Follow(FollowRequest(stream_id=turn)) for _ in range(200)]
    await until(lambda: metric(FOLLOWERS) == before + 200)
    await client.append(turn, 1, delta("a"))
    for call in calls[:100]:
        await call.read()
    for call in calls:
        call.cancel()
    await until(lambda: metric(FOLLOWERS) == before)


async def test_readers_parked_in_a_send_leave_nothing_behind(client: Client) -> None:
    """They take nothing, so the server waits until it may send on."""
    turn, before = a_turn(), metric(FOLLOWERS)
    await client.open(turn)
    for index in range(40):
        await client.append(turn, index + 1, delta("x" * 200_000))
    calls = [client.stub.Follow(FollowRequest(stream_id=turn)) for _ in range(10)]
    for call in calls:
        await call.read()
    for call in calls:
        call.cancel()
    await until(lambda: metric(FOLLOWERS) == before)


async def test_a_channel_that_is_closed_takes_its_readers_along(
    stream_processors: StreamProcessors,
) -> None:
    turn, before = a_turn(), metric(FOLLOWERS)
    async with stream_processors.start() as client:
        await client.open(turn)
        reader = asyncio.create_task(client.all_events(turn))
        await until(lambda: metric(FOLLOWERS) == before + 1)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await until(lambda: metric(FOLLOWERS) == before)


async def test_a_writer_that_died_is_succeeded_through_another_process(
    stream_processors: StreamProcessors,
) -> None:
    """The new one reads how far it is and goes on; a reader of the old process sees all of it."""
    turn = a_turn()
    async with stream_processors.start() as first, stream_processors.start() as second:
        await first.open(turn)
        await first.append(turn, 1, *deltas("one two"))
        reader = asyncio.create_task(first.all_events(turn))
        taken = await second.open(turn)
        assert (taken.text, taken.next_index) == ("one two ", 3)
        await second.append(turn, 3, delta("three "), completed())
        events = await reader
    assert text_of(events) == "one two three "
    assert events[-1].position.seq == 4


async def test_writing_through_two_processes_in_turn_makes_one_stream(
    stream_processors: StreamProcessors,
) -> None:
    """As a balanced channel does; both processes have readers."""
    turn = a_turn()
    async with stream_processors.start() as first, stream_processors.start() as second:
        await first.open(turn)
        readers = [asyncio.create_task(c.all_events(turn)) for c in (first, second)]
        for index, event in enumerate([*deltas("a b c d e f"), completed()], start=1):
            await (first, second)[index % 2].append(turn, index, event)
        for events in await asyncio.gather(*readers):
            assert text_of(events) == "a b c d e f "
            assert seqs_of(events) == sorted(set(seqs_of(events)))


async def test_an_append_that_is_repeated_at_another_process_is_known_there(
    stream_processors: StreamProcessors,
) -> None:
    """A retry goes elsewhere when the answer of the first try was lost."""
    turn = a_turn()
    async with stream_processors.start() as first, stream_processors.start() as second:
        await first.open(turn)
        await second.open(turn)
        position = await first.append(turn, 1, *deltas("a b"))
        assert await second.append(turn, 1, *deltas("a b")) == position
        await second.append(turn, 3, completed())
        assert text_of(await first.all_events(turn)) == "a b "


async def test_a_reader_goes_on_at_another_process_without_gap_or_repeat(
    stream_processors: StreamProcessors,
) -> None:
    turn, seen = a_turn(), list[TurnEvent]()
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(stream_processors.start())
        first_stack = await stack.enter_async_context(AsyncExitStack())
        first = await first_stack.enter_async_context(stream_processors.start())
        await first.open(turn)
        await first.append(turn, 1, delta("a "))
        reader = first.follow(turn)
        seen.append(await anext(reader))
        await first_stack.aclose()
        assert await ending_of(reader) in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        await second.append(turn, 2, delta("b "), completed())
        seen += await second.all_events(turn, seen[-1].position)
    assert text_of(seen) == "a b "
    assert seqs_of(seen) == [1, 2, 3]


async def ending_of(reader: object) -> grpc.StatusCode:
    try:
        await anext(reader)  # type: ignore[call-overload]
    except grpc.aio.AioRpcError as error:
        return error.code()
    except asyncio.CancelledError:
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.OK
