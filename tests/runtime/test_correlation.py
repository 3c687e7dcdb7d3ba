"""Every call has an id, from the first hop to the last."""

import asyncio
from typing import Any

import grpc
import pytest

from servers.runtime.call import current
from servers.runtime.errors import envelope_of
from tests.runtime.mesh import Mesh, get_conversation

HEADER = "x-correlation-id"


async def trailing_id(call: Any) -> str:
    return str(dict(await call.trailing_metadata())[HEADER])


async def test_a_call_without_an_id_gets_one(mesh: Mesh) -> None:
    """The client is told it in the trailing metadata."""
    seen = []

    async def answer(_request: Any) -> None:
        seen.append(current().correlation_id)

    mesh.hub.answer = answer
    call = (await mesh.user_stub()).GetConversation(get_conversation(), metadata=mesh.as_user())
    await call
    assert [await trailing_id(call)] == seen
    assert len(seen[0]) == 32


async def test_the_caller_s_id_reaches_the_last_hop(mesh: Mesh) -> None:
    """Hub, manager and memory all log under it."""
    seen = []
    mesh.pass_on()

    async def answer(_request: Any) -> None:
        seen.append(current().correlation_id)

    mesh.memory.answer = answer
    stub = await mesh.user_stub()
    metadata = (*mesh.as_user(), (HEADER, "my-id.1"))
    call = stub.GetConversation(get_conversation(), metadata=metadata)
    await call
    assert seen == ["my-id.1"] == [await trailing_id(call)]


@pytest.mark.parametrize("bad", ["with space", "x" * 65, '{"forged":"line"}', "a/b"])
async def test_an_id_that_could_forge_a_log_line_is_replaced(mesh: Mesh, bad: str) -> None:
    """The client learns the one that is used."""
    stub = await mesh.user_stub()
    call = stub.GetConversation(get_conversation(), metadata=(*mesh.as_user(), (HEADER, bad)))
    await call
    assert await trailing_id(call) != bad


async def test_a_refused_call_tells_its_id_in_envelope_and_header(mesh: Mesh) -> None:
    """Whoever reports an error can name it."""
    stub = await mesh.user_stub()
    call = stub.GetConversation(get_conversation(), metadata=((HEADER, "mine"),))
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await call
    assert await trailing_id(call) == "mine"
    envelope = envelope_of(refusal.value)
    assert envelope is not None
    assert envelope.correlation_id == "mine"


async def test_two_calls_at_once_do_not_mix_their_ids(mesh: Mesh) -> None:
    """Each call's context is its own, on a shared loop."""
    both = asyncio.Barrier(2)
    seen = {}

    async def answer(request: Any) -> None:
        before = current().correlation_id
        await both.wait()
        seen[before] = current().correlation_id

    mesh.hub.answer = answer
    stub = await mesh.user_stub()
    metadata = [(*mesh.as_user(), (HEADER, name)) for name in ("one", "two")]
    await asyncio.gather(*(stub.GetConversation(get_conversation(), metadata=m) for m in metadata))
    assert seen == {"one": "one", "two": "two"}
