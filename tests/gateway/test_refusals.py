"""Frames that are none of the contract, over a real WebSocket."""

import json

import pytest
from prometheus_client import REGISTRY

from gateway.app import Gateway
from gateway.closing import RUBBISH, TOO_FAST
from gateway.session import MOST_FRAMES, RUBBISH_IN_A_ROW
from tests.gateway.client import Client, connected
from tests.gateway.conftest import Serve
from tests.gateway.mesh import Mesh


def refused(reason: str) -> float:
    return REGISTRY.get_sample_value("kari_gateway_frames_refused_total", {"reason": reason}) or 0.0


@pytest.mark.parametrize("raw", ["rubbish", '{"id":"x","dance":{}}', b"\x00\x01", '{"id":"x"}'])
async def test_rubbish_is_answered_and_counted(client: Client, raw: str | bytes) -> None:
    """The socket goes on."""
    before = refused("REASON_FRAME_INVALID")
    await client.connection.send(raw)
    assert (await client.refused())["reason"] == "REASON_FRAME_INVALID"
    assert refused("REASON_FRAME_INVALID") == before + 1
    await client.message("stream 1")
    assert await client.expect("ack")


async def test_rubbish_many_times_in_a_row_closes_the_socket(client: Client) -> None:
    """With a code that does not invite back."""
    for _ in range(RUBBISH_IN_A_ROW):
        await client.connection.send("rubbish")
    assert await client.closed() == RUBBISH.code


@pytest.mark.parametrize("content", ["", "x" * 200_000])
async def test_a_message_of_a_wrong_length_is_refused(client: Client, content: str) -> None:
    """0 and 200,000 characters: the field is named, and the socket goes on."""
    frame_id = await client.message(content)
    error = await client.refused()
    assert (error["id"], error["type"]) == (frame_id, "ERROR_TYPE_VALIDATION")
    assert error["violations"][0]["field"] == "send_message.content"


async def test_a_frame_over_the_limit_is_answered(serve: Serve, mesh: Mesh) -> None:
    """The limit is in the details, and in the welcome."""
    token = mesh.identity.token()
    async with serve(max_frame_bytes=2000) as small, connected(small.url, token) as client:
        await client.message("x" * 2500)
        error = await client.refused()
    assert (error["reason"], error["details"]["limit"]) == ("REASON_TOO_LARGE", "2000")
    assert client.welcome["limits"]["maxFrameBytes"] == 2000


async def test_a_frame_far_over_the_limit_closes_the_socket(serve: Serve, mesh: Mesh) -> None:
    """It is not even read; the code is that of RFC 6455."""
    before = refused("REASON_TOO_LARGE")
    token = mesh.identity.token()
    async with serve(max_frame_bytes=2000) as small, connected(small.url, token) as client:
        await client.message("x" * 5000)
        assert await client.closed() == 1009
    assert refused("REASON_TOO_LARGE") == before + 1


async def test_a_rubbish_socket_harms_no_other(
    client: Client, gateway: Gateway, mesh: Mesh
) -> None:
    """Another one of the same user goes on."""
    async with connected(gateway.url, mesh.identity.token()) as other:
        for _ in range(RUBBISH_IN_A_ROW):
            await other.connection.send(json.dumps({"id": 1}))
        assert await other.closed() == RUBBISH.code
    await client.message("stream 1")
    assert await client.expect("ack")


async def test_a_socket_that_sends_too_fast_is_told_and_closed(client: Client) -> None:
    """With a code after which its client comes back."""
    for _ in range(MOST_FRAMES + 1):
        await client.send(presence={})
    for _ in range(MOST_FRAMES):
        await client.expect("ack")
    error = await client.refused()
    assert (error["reason"], error["details"]["limit"]) == ("REASON_MESSAGE_RATE", str(MOST_FRAMES))
    assert await client.closed() == TOO_FAST.code
