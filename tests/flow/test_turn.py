"""A message from a socket through every step to storage and back, in both placements."""

import secrets

import pytest

from kari.chat_hub.v1.chat_hub_pb2 import (
    CancelTurnRequest,
    FollowTurnRequest,
    ListMessagesRequest,
    SendMessageRequest,
)
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.turn_pb2 import WhenBusy
from kari.edge.v1.frames_pb2 import ClientFrame
from kari.errors.v1.errors_pb2 import Reason
from tests.flow.conftest import Mesh
from tests.socket_client import kinds_of, login, opened, text_of


async def test_a_message_is_answered_and_kept(mesh: Mesh) -> None:
    """Socket, hub, orchestrator, model, stream, storage: and what was streamed is what is kept."""
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, events = await client.turn("hello there")
        assert kinds_of(events) == [
            "accepted",
            "context_ready",
            "model_selected",
            "delta",
            "usage",
            "completed",
        ]
        history = await client.ask(history=ListMessagesRequest(conversation_id=ack.conversation_id))
    answer, question = history.result.history.messages
    assert question.content == "hello there"
    assert answer.role == MessageRole.MESSAGE_ROLE_ASSISTANT
    assert answer.content == text_of(events) == events[-1].completed.message.content


async def test_events_are_numbered_without_gaps_and_carry_the_correlation_id(mesh: Mesh) -> None:
    """Whoever reads them, in this order."""
    async with opened(mesh.kari, await mesh.token()) as client:
        frame = ClientFrame(
            correlation_id="flow-test-1",
            send_message=SendMessageRequest(content="count", request_id=secrets.token_hex(8)),
        )
        frame_id = await client.send(frame)
        assert (await client.answer_to(frame_id)).HasField("ack")
        events = await client.events(frame_id)
    assert {event.correlation_id for event in events} == {"flow-test-1"}
    seqs = [event.position.seq for event in events]
    assert seqs == sorted(set(seqs))
    assert seqs[0] == 1


async def test_a_repeated_request_returns_the_first_turn(mesh: Mesh) -> None:
    """A client that did not hear the ack sends again."""
    request = SendMessageRequest(content="once", request_id=secrets.token_hex(8))
    async with opened(mesh.kari, await mesh.token()) as client:
        first = await client.ask(send_message=request)
        request.conversation_id = first.ack.conversation_id
        second = await client.ask(send_message=request)
    async with opened(mesh.kari, await mesh.token()) as client:
        resume = FollowTurnRequest(turn_id=first.ack.turn.id)
        await client.events(await client.send(ClientFrame(resume=resume)))
        listing = ListMessagesRequest(conversation_id=first.ack.conversation_id)
        history = await client.ask(history=listing)
    assert first.ack.turn.id == second.ack.turn.id
    assert len(history.result.history.messages) == 2


async def test_a_second_turn_knows_the_first(mesh: Mesh) -> None:
    """The context carries the thread: the provider saw it."""
    async with opened(mesh.kari, await mesh.token()) as client:
        marker = secrets.token_hex(6)
        ack, _ = await client.turn(f"my word is {marker}")
        _, events = await client.turn("which word", ack.conversation_id)
    ready = next(e.context_ready for e in events if e.HasField("context_ready"))
    assert ready.snapshot.kept >= 4
    assert any(marker in str(seen) for seen in mesh.upstream.requests[-1:])


async def test_cancel_keeps_the_text_so_far(mesh: Mesh) -> None:
    """The provider call stops, the stream says cancelled, the partial answer stays."""
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, frame_id = await client.say("tell a long story", model=mesh.slow)
        first = await client.answer_to(frame_id)
        while not first.turn_event.HasField("delta"):
            first = await client.answer_to(frame_id)
        cancel = ClientFrame(cancel_turn=CancelTurnRequest(turn_id=ack.turn.id))
        await client.send(cancel)
        events = await client.events(frame_id)
    ended = events[-1].cancelled.message
    assert ended.partial
    assert ended.content.startswith(first.turn_event.delta.text)


async def test_a_busy_conversation_refuses_by_default(mesh: Mesh) -> None:
    """And names the turn that runs."""
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, frame_id = await client.say("long one", model=mesh.slow)
        second = await client.ask(
            send_message=SendMessageRequest(
                conversation_id=ack.conversation_id, content="now", request_id="r-" + ack.turn.id
            )
        )
        await client.send(ClientFrame(cancel_turn=CancelTurnRequest(turn_id=ack.turn.id)))
        await client.events(frame_id)
    assert second.error.reason == Reason.REASON_TURN_ACTIVE
    assert second.error.details["turn_id"] == ack.turn.id


@pytest.mark.parametrize(
    ("when_busy", "first_ends"),
    [(WhenBusy.WHEN_BUSY_ENQUEUE, "completed"), (WhenBusy.WHEN_BUSY_INTERRUPT, "cancelled")],
)
async def test_a_message_can_wait_or_interrupt(
    mesh: Mesh, when_busy: WhenBusy.ValueType, first_ends: str
) -> None:
    """Either way its turn comes."""
    async with opened(mesh.kari, await mesh.token()) as client:
        model = mesh.unhurried if first_ends == "completed" else mesh.slow
        ack, first = await client.say("one", model=model)
        other, second = await client.say("two", ack.conversation_id, when_busy=when_busy)
        ends: dict[str, str] = {}
        while len(ends) < 2:
            frame = await client.next()
            kind = frame.turn_event.WhichOneof("event") or ""
            if kind in ("completed", "failed", "cancelled"):
                ends[frame.id] = kind
    assert ends == {first: first_ends, second: "completed"}
    assert other.turn.id != ack.turn.id


async def test_many_viewers_see_the_same_stream(mesh: Mesh) -> None:
    """A second socket follows from the start, a third from the middle."""
    token = await mesh.token()
    async with (
        opened(mesh.kari, token) as one,
        opened(mesh.kari, token) as two,
        opened(mesh.kari, token) as three,
    ):
        ack, frame_id = await one.say("for all", model=mesh.unhurried)
        seen = await one.events(frame_id)
        again = await two.send(ClientFrame(resume=FollowTurnRequest(turn_id=ack.turn.id)))
        middle = next(e.position for e in seen if e.HasField("delta"))
        rest = await three.send(
            ClientFrame(resume=FollowTurnRequest(turn_id=ack.turn.id, after=middle))
        )
        replayed, tail = await two.events(again), await three.events(rest)
    assert text_of(replayed) == text_of(seen)
    assert text_of(tail) == text_of(seen[[e.position.seq for e in seen].index(middle.seq) + 1 :])


async def test_a_conversation_is_seen_by_its_participants_only(mesh: Mesh) -> None:
    """Not even its existence."""
    async with opened(mesh.kari, await mesh.token()) as client:
        ack, _ = await client.turn("private")
    async with opened(mesh.kari, await login(mesh.kari, "admin")) as other:
        found = await other.ask(history=ListMessagesRequest(conversation_id=ack.conversation_id))
        turn = await other.ask(resume=FollowTurnRequest(turn_id=ack.turn.id))
    assert found.error.reason == Reason.REASON_CONVERSATION_NOT_FOUND
    assert turn.error.reason in (
        Reason.REASON_TURN_NOT_FOUND,
        Reason.REASON_CONVERSATION_NOT_FOUND,
    )
