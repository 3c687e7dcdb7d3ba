"""Following turns through the hub, whatever happens to the stream."""

import asyncio
from functools import partial

import grpc
import pytest

from kari.chat_hub.v1.chat_hub_pb2 import FollowTurnResponse
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
)
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.turn_pb2 import StreamPosition, TurnEvent, TurnState
from kari.errors.v1.errors_pb2 import Reason
from kari.stream_processor.v1.stream_processor_pb2_grpc import StreamProcessorServiceStub
from servers.chat_hub.admitted import Admitted
from servers.chat_hub.following import Following
from servers.runtime.errors import from_rpc
from tests.chat_hub.conftest import House
from tests.stream_processor.conditions import metric, until
from tests.stream_processor.events import completed, delta, deltas, kinds_of, seqs_of, text_of


def events_of(steps: list[FollowTurnResponse]) -> list[TurnEvent]:
    return [step.turn_event for step in steps if step.HasField("turn_event")]


def end(house: House, turn_id: str, text: str) -> None:
    """The turn is over and its answer is stored."""
    turn, _ = house.conversations.turns[turn_id]
    turn.state = TurnState.TURN_STATE_COMPLETED
    house.conversations.turns[turn_id] = (turn, Message(content=text))


def following(house: House, turn_id: str) -> "asyncio.Task[list[FollowTurnResponse]]":
    return asyncio.create_task(house.all_steps(turn_id))


async def follower_is_there() -> None:
    await until(lambda: metric("kari_chat_stream_followers") > 0)


async def test_events_are_forwarded_to_the_last(house: House) -> None:
    turn = house.turn()
    await house.streams.open(turn.id)
    reader = following(house, turn.id)
    await follower_is_there()
    await house.streams.append(turn.id, 1, *deltas("a b"))
    await house.streams.append(turn.id, 3, delta("c "), completed())
    events = events_of(await reader)
    assert text_of(events) == "a b c "
    assert kinds_of(events)[-1] == "completed"


async def test_a_reader_goes_on_from_its_place(house: House) -> None:
    turn = house.turn()
    await house.streams.open(turn.id)
    place = await house.streams.append(turn.id, 1, *deltas("a b"))
    await house.streams.append(turn.id, 3, delta("c "), completed())
    steps = await house.all_steps(turn.id, place)
    assert text_of(events_of(steps)) == "c "
    assert len(steps) == 2


async def test_a_turn_without_a_stream_yet_is_waited_for(house: House) -> None:
    turn = house.turn(TurnState.TURN_STATE_ACCEPTED)
    before = metric("kari_chat_follow_again_total", cause="REASON_STREAM_NOT_FOUND")
    reader = following(house, turn.id)
    await until(
        lambda: metric("kari_chat_follow_again_total", cause="REASON_STREAM_NOT_FOUND") > before
    )
    await house.streams.open(turn.id)
    await house.streams.append(turn.id, 1, delta("a "), completed())
    steps = await reader
    assert [step.WhichOneof("event") for step in steps] == ["turn_event", "turn_event"]


async def test_a_turn_that_ends_without_a_stream_is_told_from_storage(house: House) -> None:
    turn = house.turn()
    reader = following(house, turn.id)
    end(house, turn.id, "the answer")
    (only,) = await reader
    assert only.turn_event.completed.message.content == "the answer"


async def test_a_reader_whose_place_is_gone_begins_anew(house: House) -> None:
    turn = house.turn()
    await house.streams.open(turn.id)
    await house.streams.append(turn.id, 1, *deltas("a b"), completed())
    lost = StreamPosition(stream_id=turn.id, epoch=1, seq=2)
    resync, *rest = await house.all_steps(turn.id, lost)
    assert resync.resync.turn.id == turn.id
    assert not resync.resync.recovered
    assert text_of(events_of(rest)) == "a b "


async def test_a_reader_whose_stream_is_gone_gets_the_end_of_the_turn(house: House) -> None:
    turn = house.turn()
    end(house, turn.id, "the answer")
    lost = StreamPosition(stream_id=turn.id, epoch=1, seq=2)
    resync, last = await house.all_steps(turn.id, lost)
    assert resync.resync.turn.state == TurnState.TURN_STATE_COMPLETED
    assert last.turn_event.completed.message.content == "the answer"


async def test_a_stream_processor_that_dies_is_followed_again_without_gap_or_repeat(
    house: House,
) -> None:
    turn, got = house.turn(), list[TurnEvent]()
    await house.streams.open(turn.id)
    reader = house.follow(turn.id)
    await house.streams.append(turn.id, 1, delta("a "))
    got.append((await anext(reader)).turn_event)
    await house.stop_stream_processor()
    await house.start_stream_processor()
    await house.streams.append(turn.id, 2, delta("b "))
    await house.streams.append(turn.id, 3, completed())
    got += [step.turn_event async for step in reader]
    assert text_of(got) == "a b "
    assert seqs_of(got) == [1, 2, 3]


async def test_redis_killed_under_a_follow_is_not_noticed(house: House) -> None:
    turn, got = house.turn(), list[TurnEvent]()
    await house.streams.open(turn.id)
    reader = house.follow(turn.id)
    for index, event in enumerate([*deltas("a b c d"), completed()], start=1):
        if index == 2:
            house.valkey.kill()
        if index == 4:
            house.valkey.start()
        await house.streams.append(turn.id, index, event)
        got.append((await anext(reader)).turn_event)
    assert seqs_of(got) == [1, 2, 3, 4, 5]


async def test_without_redis_and_stream_processor_the_end_comes_from_storage(house: House) -> None:
    """The stream is nowhere any more; the reader had seen a part of it."""
    turn = house.turn()
    house.valkey.kill()
    await house.streams.open(turn.id)
    await house.streams.append(turn.id, 1, delta("a "))
    reader = house.follow(turn.id)
    assert (await anext(reader)).turn_event.delta.text == "a "
    await house.stop_stream_processor()
    end(house, turn.id, "a whole answer")
    rest = [step async for step in reader]
    assert rest[0].HasField("resync")
    assert rest[-1].turn_event.completed.message.content == "a whole answer"


async def test_a_turn_of_somebody_else_is_not_there(house: House) -> None:
    turn = house.turn()
    await house.streams.open(turn.id)
    with house.mesh.user(), pytest.raises(grpc.aio.AioRpcError) as refused:
        await house.all_steps(turn.id)
    assert from_rpc(refused.value).reason == Reason.REASON_TURN_NOT_FOUND


async def test_readers_that_leave_leave_nothing_behind(house: House) -> None:
    turn, before = house.turn(), metric("kari_chat_stream_followers")
    await house.streams.open(turn.id)
    readers = [following(house, turn.id) for _ in range(50)]
    await until(lambda: metric("kari_chat_stream_followers") == before + 50)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    await until(lambda: metric("kari_chat_stream_followers") == before)


async def test_an_end_that_was_never_told_is_told_from_storage(house: House) -> None:
    """The orchestrator died between the commit and the last event: the stream just stays silent."""
    turn = house.turn()
    await house.streams.open(turn.id)
    await house.streams.append(turn.id, 1, delta("the "))
    channel = partial(house.mesh.channel, "chat_hub")
    following = Following(
        ConversationManagerServiceStub(channel("conversation_manager")),
        StreamProcessorServiceStub(channel("stream_processor")),
        Admitted(),
        silence=0.2,
    )
    end(house, turn.id, "the answer")
    events = events_of([step async for step in following.follow(turn.id, None)])
    assert text_of(events) == "the "
    assert events[-1].completed.message.content == "the answer"


async def test_a_reader_at_the_end_is_told_the_end_again(house: House) -> None:
    """It cannot know that there was nothing after what it saw."""
    turn = house.turn()
    await house.streams.open(turn.id)
    place = await house.streams.append(turn.id, 1, delta("all"), completed())
    end(house, turn.id, "all")
    (only,) = events_of(await house.all_steps(turn.id, place))
    assert only.completed.message.content == "all"
    assert only.position.seq == place.seq
