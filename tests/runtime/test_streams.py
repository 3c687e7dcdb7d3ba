"""Streams end in order, whoever ends them, and leave nothing behind."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from kari.chat_hub.v1.chat_hub_pb2 import FollowTurnRequest, FollowTurnResponse
from servers.runtime.call import current, principal
from tests.runtime.mesh import TURN, Mesh, get_conversation
from tests.runtime.metrics import counted, counts_up

FOLLOW = FollowTurnRequest(turn_id=TURN)
CANCELLED = ("chat_hub", "FollowTurn", "CANCELLED")


class Ending:
    """Notes how a stream's handler ended, and as whom."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.over = asyncio.Event()
        self.how = ""
        self.whose = ""
        self.where: asyncio.Task[Any] | None = None

    async def waiting(self, _request: Any) -> AsyncGenerator[FollowTurnResponse, None]:
        """One event, then silence."""
        with self._noting():
            yield FollowTurnResponse()
            self.begun.set()
            await asyncio.Event().wait()

    async def flooding(self, _request: Any) -> AsyncGenerator[FollowTurnResponse, None]:
        """Events without end, each of 64 KB, so that a reader who reads nothing holds it up."""
        event = FollowTurnResponse()
        event.turn_event.delta.text = "x" * 65_536
        with self._noting():
            self.begun.set()
            while True:
                yield event

    async def hanging(self, _request: Any) -> None:
        """No answer."""
        with self._noting():
            self.begun.set()
            await asyncio.Event().wait()

    @contextmanager
    def _noting(self) -> Iterator[None]:
        self.where = asyncio.current_task()
        try:
            yield
        except BaseException as error:
            self._note(error)
            raise

    def _note(self, error: BaseException) -> None:
        same = asyncio.current_task() is self.where
        self.how = f"{type(error).__name__} in {'its own' if same else 'another'} task"
        self.whose = principal().user_id
        self.over.set()


@pytest.mark.parametrize(
    ("handler", "how"),
    [("waiting", "CancelledError"), ("flooding", "GeneratorExit")],
)
async def test_a_handler_learns_that_its_client_went_away(
    mesh: Mesh, handler: str, how: str
) -> None:
    """Wherever it was, it ends in its own task, still knowing whose call it was."""
    ending = Ending()
    mesh.hub.events = getattr(ending, handler)
    before = counted("kari_chat_requests_total", CANCELLED)
    call = (await mesh.user_stub()).FollowTurn(FOLLOW, metadata=mesh.as_user(sub="user_9"))
    await call.read()
    await ending.begun.wait()
    call.cancel()
    await asyncio.wait_for(ending.over.wait(), 5)
    assert (ending.how, ending.whose) == (f"{how} in its own task", "user_9")
    await counts_up("kari_chat_requests_total", CANCELLED, before)


async def test_the_chain_is_left_from_the_inside_outwards(mesh: Mesh) -> None:
    """A handler's clean-up still has the call's id, principal and span."""
    seen = []
    done = asyncio.Event()

    async def events(_request: Any) -> AsyncGenerator[FollowTurnResponse, None]:
        before = current()
        try:
            while True:
                yield FollowTurnResponse()
        finally:
            await asyncio.sleep(0)
            seen.append((before, current()))
            done.set()

    mesh.hub.events = events
    call = (await mesh.user_stub()).FollowTurn(FOLLOW, metadata=mesh.as_user())
    await call.read()
    call.cancel()
    await asyncio.wait_for(done.wait(), 5)
    assert seen[0][0] is seen[0][1]


async def test_two_hundred_streams_cancelled_at_once_leave_no_task(mesh: Mesh) -> None:
    """Half of them wait, half of them write."""
    endings = [Ending() for _ in range(200)]
    kinds = iter([e.waiting if i % 2 else e.flooding for i, e in enumerate(endings)])
    mesh.hub.events = lambda request: next(kinds)(request)
    stub = await mesh.user_stub()
    await stub.GetConversation(get_conversation(), metadata=mesh.as_user())
    before = len(asyncio.all_tasks())
    calls = [stub.FollowTurn(FOLLOW, metadata=mesh.as_user()) for _ in endings]
    await asyncio.gather(*(call.read() for call in calls))
    for call in calls:
        call.cancel()
    async with asyncio.timeout(30):
        await asyncio.gather(*(ending.over.wait() for ending in endings))
        while len(asyncio.all_tasks()) > before:  # nobody tells
            await asyncio.sleep(0.01)


async def test_a_reader_that_breaks_off_and_cancels_ends_the_hop_behind_it(mesh: Mesh) -> None:
    """A hub that relays a peer's stream: when its client goes, the peer learns of it."""
    ending = Ending()
    mesh.relay(ending.waiting)
    call = (await mesh.user_stub()).FollowTurn(FOLLOW, metadata=mesh.as_user())
    await call.read()
    await ending.begun.wait()
    call.cancel()
    await asyncio.wait_for(ending.over.wait(), 5)
    assert ending.how == "CancelledError in its own task"


async def test_a_unary_call_that_is_cancelled_cancels_the_hop_behind_it(mesh: Mesh) -> None:
    ending = Ending()
    mesh.pass_on()
    mesh.memory.answer = ending.hanging
    call = (await mesh.user_stub()).GetConversation(get_conversation(), metadata=mesh.as_user())
    await ending.begun.wait()
    call.cancel()
    await asyncio.wait_for(ending.over.wait(), 5)
    assert ending.how == "CancelledError in its own task"


async def test_a_slow_reader_holds_the_writer_up(mesh: Mesh) -> None:
    """Flow control reaches the handler: it is not asked for more than the wire takes."""
    made = 0

    async def events(_request: Any) -> AsyncGenerator[FollowTurnResponse, None]:
        nonlocal made
        event = FollowTurnResponse()
        event.turn_event.delta.text = "x" * 65_536
        for made in range(2_000):  # noqa: B007  # read below
            yield event

    mesh.hub.events = events
    call = (await mesh.user_stub()).FollowTurn(FOLLOW, metadata=mesh.as_user())
    await call.read()
    seen = -1
    while made != seen:
        seen = made
        await asyncio.sleep(0.2)
    assert made < 1_000
    call.cancel()


async def test_a_stream_without_events_is_a_stream(mesh: Mesh) -> None:
    async def events(_request: Any) -> AsyncGenerator[FollowTurnResponse, None]:
        for nothing in ():
            yield nothing

    mesh.hub.events = events
    call = (await mesh.user_stub()).FollowTurn(FOLLOW, metadata=mesh.as_user())
    assert [event async for event in call] == []
    assert await call.code() is grpc.StatusCode.OK
