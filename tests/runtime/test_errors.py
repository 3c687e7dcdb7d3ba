"""What clients learn of errors, and what they do not."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from structlog.testing import capture_logs

from kari.chat_hub.v1.chat_hub_pb2 import FollowTurnRequest, FollowTurnResponse
from kari.errors.v1.errors_pb2 import ErrorEnvelope, ErrorType, Reason
from servers.runtime import errors
from servers.runtime.call import current
from servers.runtime.errors import Conflict, KariError, NotFound, RateLimited, Unavailable
from servers.runtime.errors import envelope_of as found_envelope
from tests.runtime.mesh import TURN, Mesh, get_conversation, reason_of


def raising(error: BaseException) -> Any:
    async def answer(_request: Any) -> None:
        raise error

    return answer


async def failure(mesh: Mesh) -> grpc.aio.AioRpcError:
    """What a user gets who asks the hub."""
    stub = await mesh.user_stub()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetConversation(get_conversation(), metadata=mesh.as_user())
    return caught.value


def envelope_of(error: grpc.aio.AioRpcError) -> ErrorEnvelope:
    envelope = found_envelope(error)
    assert envelope is not None
    return envelope


@pytest.mark.parametrize("cls", errors.CLASSES.values())
async def test_each_class_has_its_status_and_type(mesh: Mesh, cls: type[KariError]) -> None:
    mesh.hub.answer = raising(cls(Reason.REASON_TURN_ACTIVE, "said so"))
    error = await failure(mesh)
    assert (error.code(), error.details()) == (cls.status, "said so")
    envelope = envelope_of(error)
    assert (envelope.type, envelope.retryable) == (cls.type, cls.retryable)


async def test_details_are_the_standard_ones_too(mesh: Mesh) -> None:
    """Clients that know google.rpc need not know our envelope."""
    mesh.hub.answer = raising(
        RateLimited(Reason.REASON_MESSAGE_RATE, "slow down", retry_after=2.5, limit=60)
    )
    status = rpc_status.from_call(await failure(mesh))
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert status.details[1].Unpack(info)
    assert status.details[2].Unpack(retry)
    assert (info.reason, info.domain) == ("REASON_MESSAGE_RATE", "kari.chat")
    assert info.metadata["limit"] == "60"
    assert retry.retry_delay.ToMilliseconds() == 2500


async def test_an_unknown_exception_never_leaves_as_its_text(mesh: Mesh) -> None:
    """It is in the log, under the id that the client was told."""
    mesh.hub.answer = raising(ValueError("the password is hunter2"))
    with capture_logs() as logs:
        error = await failure(mesh)
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "hunter2" not in str(error)
    assert reason_of(error) == "REASON_INTERNAL"
    (logged,) = [line for line in logs if line["event"] == "unhandled exception"]
    assert "hunter2" in str(logged["exc_info"])


@pytest.mark.parametrize("raised", [SystemError("x"), RecursionError("x"), AssertionError("x")])
async def test_no_kind_of_exception_leaves_as_its_text(mesh: Mesh, raised: Exception) -> None:
    mesh.hub.answer = raising(raised)
    assert reason_of(await failure(mesh)) == "REASON_INTERNAL"


async def test_a_group_of_errors_is_told_by_its_first(mesh: Mesh) -> None:
    """What a task group raises: the first failure cancelled the others."""

    async def answer(_request: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            group.create_task(raising(NotFound(Reason.REASON_TURN_NOT_FOUND, "gone"))(None))

    mesh.hub.answer = answer
    assert reason_of(await failure(mesh)) == "REASON_TURN_NOT_FOUND"


async def test_a_peer_s_error_passes_through_two_hops_unchanged(mesh: Mesh) -> None:
    """Type, reason, message, details, violations, the time to wait, and the id."""
    mesh.pass_on()
    raised = Conflict(
        Reason.REASON_TURN_ACTIVE,
        "another turn runs",
        retry_after=1.5,
        violations=[("turn_id", "is busy")],
        retryable=True,
        turn="turn_9",
    )
    seen = []

    async def answer(_request: Any) -> None:
        seen.append(current().correlation_id)
        raise raised

    mesh.memory.answer = answer
    assert envelope_of(await failure(mesh)) == raised.envelope(seen[0])


async def test_a_defect_two_hops_away_is_a_defect_here(mesh: Mesh) -> None:
    mesh.pass_on()
    mesh.memory.answer = raising(KeyError("secret"))
    error = await failure(mesh)
    assert reason_of(error) == "REASON_INTERNAL"
    assert "secret" not in str(error)


async def test_a_peer_that_is_away_is_unavailable(mesh: Mesh) -> None:
    """After gRPC's own retries; the client may try again."""
    mesh.lose("production_memory")
    mesh.pass_on()
    error = await failure(mesh)
    envelope = envelope_of(error)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert (envelope.type, envelope.retryable) == (ErrorType.ERROR_TYPE_UNAVAILABLE, True)
    assert reason_of(error) == "REASON_SERVER_UNAVAILABLE"


async def test_a_server_that_answered_is_not_asked_again(mesh: Mesh) -> None:
    """gRPC's retries are for peers that do not answer; three hops would make 64 calls of one."""
    asked = []
    mesh.pass_on()

    async def answer(_request: Any) -> None:
        asked.append(1)
        raise Unavailable(Reason.REASON_STORE_UNAVAILABLE, "Postgres does not answer")

    mesh.memory.answer = answer
    assert reason_of(await failure(mesh)) == "REASON_STORE_UNAVAILABLE"
    assert len(asked) == 1


async def test_an_error_inside_a_stream_comes_after_its_events(mesh: Mesh) -> None:
    async def events(_request: Any) -> Any:
        yield FollowTurnResponse()
        raise NotFound(Reason.REASON_STREAM_NOT_FOUND, "its events are gone")

    mesh.hub.events = events
    stub = await mesh.user_stub()
    call = stub.FollowTurn(FollowTurnRequest(turn_id=TURN), metadata=mesh.as_user())
    assert await call.read() == FollowTurnResponse()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert reason_of(caught.value) == "REASON_STREAM_NOT_FOUND"


async def test_an_unknown_exception_inside_a_stream_stays_inside(mesh: Mesh) -> None:
    async def events(_request: Any) -> Any:
        yield FollowTurnResponse()
        raise ValueError("hunter2")

    mesh.hub.events = events
    stub = await mesh.user_stub()
    call = stub.FollowTurn(FollowTurnRequest(turn_id=TURN), metadata=mesh.as_user())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        assert [event async for event in call]
    assert reason_of(caught.value) == "REASON_INTERNAL"
    assert "hunter2" not in str(caught.value)


async def test_bytes_that_are_no_message_are_refused_without_a_word_of_the_parser(
    mesh: Mesh,
) -> None:
    """Any client can send them; grpc.aio would answer with the exception's text."""
    channel = await mesh.plain("chat_hub")
    call = channel.unary_unary("/kari.chat_hub.v1.ChatHubService/GetConversation")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"\xff\xff\xff rubbish", metadata=mesh.as_user())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(caught.value) == "REASON_FIELD_INVALID"


async def test_an_unknown_method_is_unimplemented(mesh: Mesh) -> None:
    channel = await mesh.plain("chat_hub")
    call = channel.unary_unary("/kari.chat_hub.v1.ChatHubService/Nonsense")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_over_the_limit_is_too_large(mesh: Mesh) -> None:
    """gRPC's own limit of 4 MiB, told in our words once it has passed a hop."""
    channel = await mesh.plain("chat_hub")
    call = channel.unary_unary("/kari.chat_hub.v1.ChatHubService/GetConversation")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"x" * (5 << 20), metadata=mesh.as_user())
    error = errors.from_rpc(caught.value)
    assert Reason.Name(error.reason) == "REASON_TOO_LARGE"


def test_a_status_without_an_envelope_becomes_the_nearest_error() -> None:
    """From servers that are not ours."""

    def told(code: grpc.StatusCode) -> KariError:
        empty = grpc.aio.Metadata()
        return errors.from_rpc(grpc.aio.AioRpcError(code, empty, empty, "secret"))

    assert isinstance(told(grpc.StatusCode.UNAVAILABLE), Unavailable)
    assert isinstance(told(grpc.StatusCode.DEADLINE_EXCEEDED), errors.TimedOut)
    assert isinstance(told(grpc.StatusCode.CANCELLED), Unavailable)
    unknown = told(grpc.StatusCode.UNKNOWN)
    assert isinstance(unknown, errors.Internal)
    assert "secret" not in str(unknown)
