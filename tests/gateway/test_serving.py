"""Starting, draining and stopping a gateway."""

import asyncio
import socket
from contextlib import AsyncExitStack, closing
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession
from prometheus_client import REGISTRY
from websockets.exceptions import WebSocketException

from embedded.ports import ReservedPort
from gateway.app import Gateway
from gateway.closing import GOING_AWAY
from gateway.listening import AddressTaken, listen
from tests.gateway.client import connected
from tests.gateway.conftest import Serve
from tests.gateway.mesh import Mesh
from tests.gateway.scripted_identity import BOB
from tests.stream_processor.conditions import metric


async def test_draining_tells_every_socket_to_come_back(serve: Serve, mesh: Mesh) -> None:
    """After what was on its way."""
    before = metric("kari_chat_active_sessions")
    async with AsyncExitStack() as sockets:
        async with serve() as gateway:
            enter, token = sockets.enter_async_context, mesh.identity.token
            ada = await enter(connected(gateway.url, token()))
            bob = await enter(connected(gateway.url, token(BOB)))
            await ada.message("slow 3")
            await ada.expect("ack")
        assert await ada.closed() == GOING_AWAY.code
        assert await bob.closed() == GOING_AWAY.code
    assert metric("kari_chat_active_sessions") == before


async def test_a_turn_survives_the_gateway_that_began_it(serve: Serve, mesh: Mesh) -> None:
    """The next one resumes it."""
    async with serve() as first, connected(first.url, mesh.identity.token()) as client:
        await client.message("slow 2")
        turn_id = (await client.expect("ack"))["ack"]["turn"]["id"]
    mesh.hub.step(2)
    async with serve() as second, connected(second.url, mesh.identity.token()) as again:
        await again.send(resume={"turnId": turn_id})
        assert (await again.events())[-1]["completed"]["message"]["content"] == "Words arrive"


async def test_a_stopped_gateway_takes_nobody(serve: Serve, mesh: Mesh) -> None:
    """Its port is free again."""
    async with serve() as gateway:
        pass
    with pytest.raises((OSError, WebSocketException)):
        await connected(gateway.url, mesh.identity.token()).__aenter__()


async def test_a_client_that_answers_no_ping_is_closed(serve: Serve, mesh: Mesh) -> None:
    """Its line may be dead."""
    async with serve(heartbeat=0.2) as gateway:
        reader, writer = await upgraded(gateway.url, mesh.identity.token())
        assert await asyncio.wait_for(reader.read(), 10) != b""
        writer.close()
        await writer.wait_closed()
    assert REGISTRY.get_sample_value("kari_gateway_closed_total", {"code": "1005"})


async def upgraded(url: str, token: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket whose client only ever asked for it."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    headers = {
        "host": address.netloc,
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
        "authorization": f"Bearer {token}",
    }
    lines = ["GET /v1/chat HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    return reader, writer


async def test_a_port_in_use_is_a_clear_error(serve: Serve) -> None:
    """It names the port and the way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AddressTaken, match=rf"127.0.0.1:{port} .* set KARI_HTTP_PORT"):
            async with serve(http_port=port):
                pass


def test_a_port_is_shared_by_those_who_ask_for_it() -> None:
    """One that does not ask finds it taken."""
    with listen("127.0.0.1", 0, shared=True) as one:
        port = one.getsockname()[1]
        with listen("127.0.0.1", port, shared=True) as two:
            assert two.getsockname() == one.getsockname()
        with pytest.raises(AddressTaken, match="set KARI_HTTP_PORT"):
            listen("127.0.0.1", port)


async def test_a_worker_answers_on_a_port_of_its_own_too(serve: Serve) -> None:
    """There it says of itself whether it is ready."""
    with closing(ReservedPort()) as own:
        async with serve(worker_port=own.number) as gateway, ClientSession() as session:
            for url in (gateway.url, f"http://127.0.0.1:{own.number}"):
                async with session.get(f"{url}/readyz") as answer:
                    assert answer.status == 200


async def test_the_url_names_the_port(gateway: Gateway) -> None:
    """Also when the settings leave it to the system."""
    assert urlsplit(gateway.url).port
