"""What watchers are told: in one process, across processes, and without Redis."""

import grpc
import pytest

from kari.chat_hub.v1 import chat_hub_pb2 as pb
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.turn_pb2 import StreamPosition, Turn
from kari.errors.v1.errors_pb2 import Reason
from kari.instruction_processor.v1.instruction_processor_pb2 import ProcessResponse
from servers.runtime.errors import Conflict, from_rpc
from servers.runtime.ids import new_id
from tests.chat_hub.conftest import WATCHERS, House
from tests.stream_processor.conditions import metric, until

MISSING = Degradation(feature=Feature.FEATURE_FAN_OUT, cause="redis")


async def types(house: House, user_id: str, *, typing: bool = True) -> None:
    with house.mesh.user(user_id=user_id):
        await house.stub.SetTyping(
            pb.SetTypingRequest(conversation_id=house.conversation.id, typing=typing)
        )


async def test_typing_is_told_to_the_others_and_not_to_oneself(house: House) -> None:
    guest = house.guest()
    async with house.watching() as mine, house.watching(guest) as theirs:
        await types(house, house.user.user_id)
        await until(lambda: bool(theirs.told("typing")))
        await types(house, guest)
        await until(lambda: bool(mine.told("typing")))
    assert [t.user_id for t in theirs.told("typing")] == [house.user.user_id]
    assert [t.user_id for t in mine.told("typing")] == [guest]


async def test_news_reach_watchers_of_other_processes(house: House) -> None:
    other_hub, guest = await house.start_hub(), house.guest()
    async with house.watching(guest, hub=other_hub) as screen:
        await types(house, house.user.user_id)
        await until(lambda: bool(screen.told("typing")))
        await house.send("hello")
        await until(lambda: bool(screen.told("turn_started")))
    assert len(screen.told("typing")) == 1


async def test_a_started_turn_is_told_to_all_tabs(house: House) -> None:
    async with house.watching() as first, house.watching() as second:
        response = await house.send("hello")
        for screen in (first, second):
            await until(lambda screen=screen: bool(screen.told("turn_started")))
            (started,) = screen.told("turn_started")
            assert started.turn_id == response.turn.id
            assert started.user_id == house.user.user_id


async def test_a_changed_conversation_is_told_with_its_version(house: House) -> None:
    def change() -> None:
        house.conversation.version += 2

    house.instructions.effect = change
    async with house.watching() as screen:
        await house.send("/set mode code")
        await until(lambda: bool(screen.told("conversation_changed")))
        house.instructions.effect = lambda: None
        await house.send("/status")
        await types(house, house.guest())
        await until(lambda: bool(screen.told("typing")))
    assert [c.version for c in screen.told("conversation_changed")] == [3]


async def test_commands_that_failed_half_way_have_changed_something(house: House) -> None:
    def change() -> None:
        house.conversation.version += 1

    house.instructions.effect = change
    house.instructions.failure = Conflict(Reason.REASON_TURN_ACTIVE, "busy", done="/set")
    async with house.watching() as screen:
        with pytest.raises(grpc.aio.AioRpcError):
            await house.send("/set mode code\nhello")
        await until(lambda: bool(screen.told("conversation_changed")))


async def test_an_answered_proposal_is_a_change(house: House) -> None:
    def change() -> None:
        house.conversation.version += 1

    house.instructions.effect = change
    request = pb.AnswerProposalRequest(
        conversation_id=house.conversation.id, proposal_id=new_id("prop"), accepted=True
    )
    async with house.watching() as screen:
        assert (await house.stub.AnswerProposal(request)).result.text == "yes"
        await until(lambda: bool(screen.told("conversation_changed")))


async def test_a_turn_of_commands_is_told_too(house: House) -> None:
    turn = Turn(id=new_id("turn"), conversation_id=house.conversation.id)
    place = StreamPosition(stream_id=turn.id)
    house.instructions.response = ProcessResponse(turn=turn, position=place)
    async with house.watching() as screen:
        await house.send("/pin\nhello")
        await until(lambda: bool(screen.told("turn_started")))


async def test_who_comes_finds_who_is_there_and_is_told_to_them(house: House) -> None:
    guest = house.guest()
    async with house.watching() as mine:
        async with house.watching(guest) as theirs:
            await until(lambda: bool(theirs.told("presence")) and bool(mine.told("presence")))
        await until(lambda: len(mine.told("presence")) == 2)
    assert [(p.user_id, p.present) for p in theirs.told("presence")] == [(house.user.user_id, True)]
    assert [(p.user_id, p.present) for p in mine.told("presence")] == [
        (guest, True),
        (guest, False),
    ]


async def test_presence_reaches_across_processes(house: House) -> None:
    other_hub, guest = await house.start_hub(), house.guest()
    async with house.watching() as mine:
        async with house.watching(guest, hub=other_hub) as theirs:
            await until(lambda: bool(theirs.told("presence")) and bool(mine.told("presence")))
        await until(lambda: len(mine.told("presence")) == 2)
    assert [p.present for p in mine.told("presence")] == [True, False]


async def test_a_second_tab_does_not_flicker(house: House) -> None:
    """Not even in another process, and not when the first is closed or loaded again."""
    other_hub, guest = await house.start_hub(), house.guest()
    async with house.watching() as mine:
        async with house.watching(guest, hub=other_hub) as second:
            async with house.watching(guest):
                await until(lambda: bool(mine.told("presence")))
            async with house.watching(guest):
                await types(house, guest)
                await until(lambda: bool(mine.told("typing")))
        await until(lambda: len(mine.told("presence")) == 2)
    assert [p.present for p in mine.told("presence")] == [True, False]
    assert [p.user_id for p in second.told("presence")] == [house.user.user_id]


async def test_a_conversation_of_somebody_else_cannot_be_watched(house: House) -> None:
    mine_and_theirs = [house.conversation.id, house.conversations.begin("user_x").id]
    call = house.stub.Watch(pb.WatchRequest(conversation_ids=mine_and_theirs))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert from_rpc(refused.value).reason == Reason.REASON_CONVERSATION_NOT_FOUND


async def test_typing_in_a_conversation_of_somebody_else_is_refused(house: House) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await types(house, new_id("user"))
    assert from_rpc(refused.value).reason == Reason.REASON_CONVERSATION_NOT_FOUND


async def test_who_takes_no_part_any_more_hears_no_more(house: House) -> None:
    guest = house.guest()

    def let_go() -> None:
        house.conversation.participant_ids.remove(guest)
        house.conversation.version += 1

    house.instructions.effect = let_go
    async with house.watching(guest) as theirs, house.watching() as mine:
        await house.send(f"/participants remove {guest}")
        await until(lambda: bool(mine.told("conversation_changed")))
        await house.send("secret")
        await until(lambda: bool(mine.told("turn_started")))
    assert not theirs.told("turn_started")
    assert not theirs.told("conversation_changed")


async def test_the_same_conversation_of_another_tenant_is_another_one(house: House) -> None:
    """Even if the conversation manager were wrong, the channels are apart."""
    guest = house.guest()
    with house.mesh.user("other", user_id=guest):
        call = house.stub.Watch(pb.WatchRequest(conversation_ids=[house.conversation.id]))
        await until(lambda: metric(WATCHERS) > 0)
    async with house.watching() as mine:
        await house.send("hello")
        await until(lambda: bool(mine.told("turn_started")))
    assert not mine.told("presence")
    call.cancel()


async def test_without_redis_watchers_here_are_told_and_told_what_is_missing(house: House) -> None:
    guest, before = house.guest(), metric("kari_chat_fan_out_failures_total")
    async with house.watching() as mine:
        house.valkey.kill()
        await until(lambda: bool(mine.told("degraded")))
        async with house.watching(guest) as theirs:
            await types(house, house.user.user_id)
            await until(lambda: bool(theirs.told("typing")))
        await until(lambda: len(mine.told("presence")) == 2)
    assert mine.told("degraded") == [MISSING]
    assert theirs.told("degraded") == [MISSING]
    assert metric("kari_chat_fan_out_failures_total") == before + 1


async def test_processes_find_each_other_again_when_redis_is_back(house: House) -> None:
    other_hub, guest = await house.start_hub(), house.guest()
    async with house.watching(guest, hub=other_hub) as theirs:
        house.valkey.kill()
        await until(lambda: bool(theirs.told("degraded")))
        house.valkey.start()

        async def told_across() -> bool:
            await house.send("hello")
            return bool(theirs.told("turn_started"))

        while not await told_across():
            pass


async def test_watchers_that_leave_leave_nothing_behind(house: House) -> None:
    before = metric(WATCHERS)
    request = pb.WatchRequest(conversation_ids=[house.conversation.id])
    calls = [house.stub.Watch(request) for _ in range(100)]
    await until(lambda: metric(WATCHERS) == before + 100)
    for call in calls:
        call.cancel()
    await until(lambda: metric(WATCHERS) == before)
