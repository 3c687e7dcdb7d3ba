"""Every call is counted, with how it ended."""

import asyncio
from typing import Any

import grpc
import pytest

from servers.runtime.errors import NotFound
from servers.runtime.interceptors.metrics import module_of
from tests.runtime.mesh import Mesh, Reason, get_conversation
from tests.runtime.metrics import counted, counts_up

REQUESTS = "kari_chat_requests_total"


def codes(code: str) -> tuple[str, str, str]:
    return ("chat_hub", "GetConversation", code)


async def test_a_good_call_is_counted_and_timed(mesh: Mesh) -> None:
    latency = "kari_chat_request_latency_seconds_count"
    before = counted(REQUESTS, codes("OK"))
    timed = counted(latency, ("chat_hub",))
    await (await mesh.user_stub()).GetConversation(get_conversation(), metadata=mesh.as_user())
    await counts_up(REQUESTS, codes("OK"), before)
    await counts_up(latency, ("chat_hub",), timed)


async def test_a_refusal_is_counted_with_code_type_and_reason(mesh: Mesh) -> None:
    errors = ("chat_hub", "not_found", "REASON_TURN_NOT_FOUND")
    before = counted(REQUESTS, codes("NOT_FOUND")), counted("kari_chat_errors_total", errors)

    async def answer(_request: Any) -> None:
        raise NotFound(Reason.REASON_TURN_NOT_FOUND, "gone")

    mesh.hub.answer = answer
    with pytest.raises(grpc.aio.AioRpcError):
        await (await mesh.user_stub()).GetConversation(get_conversation(), metadata=mesh.as_user())
    await counts_up(REQUESTS, codes("NOT_FOUND"), before[0])
    await counts_up("kari_chat_errors_total", errors, before[1])


async def test_a_call_that_its_client_cancels_is_counted_as_cancelled(mesh: Mesh) -> None:
    before = counted(REQUESTS, codes("CANCELLED"))
    begun = asyncio.Event()

    async def hang(_request: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    mesh.hub.answer = hang
    call = (await mesh.user_stub()).GetConversation(get_conversation(), metadata=mesh.as_user())
    await begun.wait()
    call.cancel()
    await counts_up(REQUESTS, codes("CANCELLED"), before)


async def test_a_call_whose_time_is_over_is_counted_as_such(mesh: Mesh) -> None:
    """Whoever notices first, server or client."""
    before = counted(REQUESTS, codes("DEADLINE_EXCEEDED"))

    async def hang(_request: Any) -> None:
        await asyncio.Event().wait()

    mesh.hub.answer = hang
    with pytest.raises(grpc.aio.AioRpcError):
        await (await mesh.user_stub()).GetConversation(
            get_conversation(), metadata=mesh.as_user(), timeout=0.3
        )
    await counts_up(REQUESTS, codes("DEADLINE_EXCEEDED"), before)


def test_a_method_s_module_is_its_server() -> None:
    assert module_of("/kari.chat_hub.v1.ChatHubService/SendMessage") == "chat_hub"
    assert module_of("/grpc.health.v1.Health/Check") == "infrastructure"
    assert module_of("/rubbish") == "infrastructure"
