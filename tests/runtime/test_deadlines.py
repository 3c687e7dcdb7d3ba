"""No call waits for ever: what remains of its time goes with it."""

import asyncio
from typing import Any

import grpc
import pytest

from kari.chat_hub.v1.chat_hub_pb2 import FollowTurnRequest, FollowTurnResponse
from kari.conversation_manager.v1 import conversation_manager_pb2_grpc
from kari.conversation_manager.v1.conversation_manager_pb2 import GetConversationRequest
from servers.runtime.call import current
from tests.runtime.mesh import CONVERSATION, TURN, Mesh, get_conversation, reason_of


def remember_remaining(seen: list[float | None]) -> Any:
    async def answer(_request: Any) -> None:
        seen.append(current().remaining())

    return answer


async def test_the_contract_s_deadline_holds_for_who_names_none(mesh: Mesh) -> None:
    """Five seconds for GetConversation."""
    seen: list[float | None] = []
    mesh.hub.answer = remember_remaining(seen)
    await (await mesh.user_stub()).GetConversation(get_conversation(), metadata=mesh.as_user())
    assert seen[0] == pytest.approx(5, abs=1)


async def test_the_contract_s_deadline_is_the_longest(mesh: Mesh) -> None:
    seen: list[float | None] = []
    mesh.hub.answer = remember_remaining(seen)
    stub = await mesh.user_stub()
    await stub.GetConversation(get_conversation(), metadata=mesh.as_user(), timeout=600)
    assert seen[0] is not None
    assert seen[0] <= 5


async def test_what_remains_reaches_the_last_hop(mesh: Mesh) -> None:
    """Two hops further there is less than the client gave."""
    seen: list[float | None] = []
    mesh.pass_on()
    mesh.memory.answer = remember_remaining(seen)
    stub = await mesh.user_stub()
    await stub.GetConversation(get_conversation(), metadata=mesh.as_user(), timeout=2)
    assert seen[0] is not None
    assert 0 < seen[0] < 2


async def test_an_own_timeout_of_a_server_counts_if_it_is_shorter(mesh: Mesh) -> None:
    """A server may give its peer less than what remains."""
    seen: list[float | None] = []
    channel = mesh.channel("chat_hub", "conversation_manager")
    manager = conversation_manager_pb2_grpc.ConversationManagerServiceStub(channel)

    async def ask(_request: Any) -> None:
        await manager.GetConversation(
            GetConversationRequest(conversation_id=CONVERSATION), timeout=1
        )

    mesh.hub.answer, mesh.manager.answer = ask, remember_remaining(seen)
    await (await mesh.user_stub()).GetConversation(get_conversation(), metadata=mesh.as_user())
    assert seen[0] is not None
    assert seen[0] < 1


async def test_a_call_that_takes_too_long_is_told_so_by_the_server(mesh: Mesh) -> None:
    """With an envelope, though the client gave the deadline; the handler is cancelled."""
    cancelled = asyncio.Event()

    async def hang(_request: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    mesh.hub.answer = hang
    stub = await mesh.user_stub()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetConversation(get_conversation(), metadata=mesh.as_user(), timeout=0.5)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert reason_of(caught.value) == "REASON_DEADLINE"
    await asyncio.wait_for(cancelled.wait(), 5)


async def test_a_hang_two_hops_away_ends_every_hop(mesh: Mesh) -> None:
    """The farthest server's answer comes first and passes through."""
    ended = []
    mesh.pass_on()
    passing_on = mesh.manager.answer

    async def hang(_request: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("memory")

    async def watch(request: Any) -> None:
        try:
            await passing_on(request)
        finally:
            ended.append("manager")

    mesh.memory.answer, mesh.manager.answer = hang, watch
    stub = await mesh.user_stub()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetConversation(get_conversation(), metadata=mesh.as_user(), timeout=0.5)
    assert reason_of(caught.value) == "REASON_DEADLINE"
    assert ended == ["memory", "manager"]


async def test_a_timeout_of_the_handler_s_own_is_a_defect_and_no_deadline(mesh: Mesh) -> None:
    """Whoever waits for something has to say what it means that it did not come."""

    async def answer(_request: Any) -> None:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    mesh.hub.answer = answer
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (await mesh.user_stub()).GetConversation(get_conversation(), metadata=mesh.as_user())
    assert reason_of(caught.value) == "REASON_INTERNAL"


async def test_a_stream_without_a_deadline_has_none(mesh: Mesh) -> None:
    """Streams live as long as their reader; but a reader may give a time."""
    seen: list[float | None] = []

    async def events(_request: Any) -> Any:
        seen.append(current().remaining())
        yield FollowTurnResponse()

    mesh.hub.events = events
    stub = await mesh.user_stub()
    for timeout in (None, 9):
        call = stub.FollowTurn(
            FollowTurnRequest(turn_id=TURN), metadata=mesh.as_user(), timeout=timeout
        )
        assert [event async for event in call] == [FollowTurnResponse()]
    assert seen[0] is None
    assert seen[1] == pytest.approx(9, abs=1)


async def test_a_stream_that_outlives_its_reader_s_time_is_told_so(mesh: Mesh) -> None:
    """After the events that came before."""

    async def events(_request: Any) -> Any:
        yield FollowTurnResponse()
        await asyncio.Event().wait()

    mesh.hub.events = events
    stub = await mesh.user_stub()
    call = stub.FollowTurn(FollowTurnRequest(turn_id=TURN), metadata=mesh.as_user(), timeout=0.5)
    assert await call.read() == FollowTurnResponse()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert reason_of(caught.value) == "REASON_DEADLINE"
