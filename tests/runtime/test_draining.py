"""Stopping in two stages."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs

from kari.chat_hub.v1 import chat_hub_pb2_grpc
from kari.chat_hub.v1.chat_hub_pb2 import (
    FollowTurnRequest,
    FollowTurnResponse,
    GetConversationResponse,
)
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.bootstrap import Bootstrap, serving
from servers.runtime.call import current
from servers.runtime.errors import Unavailable
from servers.runtime.in_process import InProcessChannel, Port
from servers.runtime.keys import KeyFiles, ensure_keys
from servers.runtime.resources import Resources
from servers.runtime.settings import Settings
from tests.running import free_block
from tests.runtime.mesh import TURN, Hub, get_conversation, hosted, security
from tests.runtime.tokens import access_token


class Server:
    """One hub, and a channel to it that outlives its draining."""

    def __init__(self, folder: Path, port: int = 0, **more: Any) -> None:
        self.hub = Hub()
        self.keys: KeyFiles = ensure_keys(Settings(data=folder))
        services = [hosted("chat_hub", self.hub, **more)]
        address = f"127.0.0.1:{port}"
        self.inside = Port("chat_hub")
        self.bootstrap = Bootstrap(services, Resources(), security(self.keys), address, self.inside)

    def call(self, channel: grpc.aio.Channel) -> Any:
        """A call of a user."""
        stub = chat_hub_pb2_grpc.ChatHubServiceStub(channel)
        return stub.GetConversation(get_conversation(), metadata=self.user())

    def user(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {access_token(self.keys)}"),)


async def status(channel: grpc.aio.Channel) -> int:
    request = health_pb2.HealthCheckRequest()
    return (await health_pb2_grpc.HealthStub(channel).Check(request)).status


async def test_a_call_under_way_finishes_while_health_says_not_serving(tmp_path: Path) -> None:
    """Balancers look elsewhere, nobody is cut off."""
    server, begun, go_on = Server(tmp_path), asyncio.Event(), asyncio.Event()

    async def slow(_request: Any) -> None:
        begun.set()
        await go_on.wait()

    server.hub.answer = slow
    port = await server.bootstrap.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = server.call(channel)
        await begun.wait()
        draining = asyncio.create_task(server.bootstrap.drain())
        while await status(channel) != health_pb2.HealthCheckResponse.NOT_SERVING:
            pass
        assert not draining.done()
        go_on.set()
        assert await call == GetConversationResponse()
        await asyncio.wait_for(draining, 5)
    await server.bootstrap.stop(0)


async def test_streams_that_live_as_long_as_their_reader_hold_nobody_up(tmp_path: Path) -> None:
    """They are resumable; their readers come back elsewhere."""
    server = Server(tmp_path)

    async def events(_request: Any) -> AsyncGenerator[FollowTurnResponse, None]:
        yield FollowTurnResponse()
        await asyncio.Event().wait()

    server.hub.events = events
    port = await server.bootstrap.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = chat_hub_pb2_grpc.ChatHubServiceStub(channel)
        call = stub.FollowTurn(FollowTurnRequest(turn_id=TURN), metadata=server.user())
        await call.read()
        await asyncio.wait_for(server.bootstrap.drain(), 5)
        await server.bootstrap.stop(0)
        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()


async def test_work_that_does_not_end_is_cut_off_and_said(tmp_path: Path) -> None:
    """After the seconds of the settings."""
    server, begun, ended = Server(tmp_path), asyncio.Event(), asyncio.Event()

    async def hang(_request: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    server.hub.answer = hang
    with capture_logs() as logs:
        async with serving(server.bootstrap, 0.1) as port:
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
            call = server.call(channel)
            await begun.wait()
    await asyncio.wait_for(ended.wait(), 5)
    assert await call.code() is not grpc.StatusCode.OK
    assert any("drain" in line["event"] for line in logs)
    await channel.close()


async def test_a_call_from_inside_is_waited_for_as_well(tmp_path: Path) -> None:
    """It may be part of what somebody outside asked for."""
    server, begun, go_on = Server(tmp_path), asyncio.Event(), asyncio.Event()

    async def slow(_request: Any) -> None:
        begun.set()
        await go_on.wait()

    server.hub.answer = slow
    await server.bootstrap.start()
    async with InProcessChannel(server.inside) as channel:
        call = server.call(channel)
        await begun.wait()
        draining = asyncio.create_task(server.bootstrap.drain())
        await asyncio.sleep(0.05)
        assert not draining.done()
        go_on.set()
        assert await call == GetConversationResponse()
        await asyncio.wait_for(draining, 5)
        await server.bootstrap.stop(0)
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await server.call(channel)


async def test_servers_may_call_each_other_while_calls_from_outside_end(tmp_path: Path) -> None:
    """Else nothing that is under way could come to its end."""
    server, begun, go_on = Server(tmp_path), asyncio.Event(), asyncio.Event()
    inside = InProcessChannel(server.inside)

    async def relay(_request: Any) -> None:
        if not begun.is_set():
            begun.set()
            await go_on.wait()
            await server.call(inside)

    server.hub.answer = relay
    port = await server.bootstrap.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = server.call(channel)
        await begun.wait()
        stopping = asyncio.create_task(server.bootstrap.stop(10))
        await asyncio.sleep(0.05)
        go_on.set()
        assert await call == GetConversationResponse()
        await asyncio.wait_for(stopping, 5)


async def test_the_hooks_of_a_server_run_in_order(tmp_path: Path) -> None:
    """Prepare, the loop, drain, close."""
    seen: list[str] = []
    looping = asyncio.Event()

    def hook(name: str) -> Any:
        async def run() -> None:
            seen.append(name)

        return run

    async def loop() -> None:
        seen.append("loop")
        looping.set()
        await asyncio.Event().wait()

    hooks = {name: hook(name) for name in ("prepare", "drain", "close")}
    server = Server(tmp_path, loops=(loop,), **hooks)
    async with serving(server.bootstrap, 1):
        await looping.wait()
    assert seen == ["prepare", "loop", "drain", "close"]


async def test_everything_is_closed_though_a_drain_fails(tmp_path: Path) -> None:
    """The failure is told all the same."""
    closed = asyncio.Event()

    async def fail() -> None:
        raise ValueError("defect")

    async def close() -> None:
        closed.set()

    server = Server(tmp_path, drain=fail, close=close)
    with pytest.raises(ValueError, match="defect"):
        async with serving(server.bootstrap, 1):
            pass
    assert closed.is_set()


async def test_what_cannot_be_prepared_yet_is_tried_again(tmp_path: Path) -> None:
    """A store may be away for a moment; meanwhile health says that we do not serve."""
    port, said = free_block(1), list[int]()

    async def prepare() -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            said.append(await status(channel))
        if len(said) < 3:
            raise Unavailable(Reason.REASON_STORE_UNAVAILABLE, "Postgres does not answer")

    server = Server(tmp_path, port, prepare=prepare)
    async with (
        serving(server.bootstrap, 0.1),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        said.append(await status(channel))
    no, yes = health_pb2.HealthCheckResponse.NOT_SERVING, health_pb2.HealthCheckResponse.SERVING
    assert said == [no, no, no, yes]


async def test_a_defect_in_preparing_ends_the_start(tmp_path: Path) -> None:
    """And what was opened is closed."""
    closed = asyncio.Event()

    async def prepare() -> None:
        raise ValueError("defect")

    async def close() -> None:
        closed.set()

    server = Server(tmp_path, prepare=prepare, close=close)
    with pytest.raises(ValueError, match="defect"):
        async with serving(server.bootstrap, 0.1):
            pass
    assert closed.is_set()


async def test_a_loop_that_fails_is_logged_and_begun_again(tmp_path: Path) -> None:
    """Each round has a correlation id of its own."""
    ids: list[str] = []
    again = asyncio.Event()

    async def loop() -> None:
        ids.append(current().correlation_id)
        if len(ids) < 2:
            raise ValueError("once")
        again.set()

    server = Server(tmp_path, loops=(loop,))
    with capture_logs() as logs:
        async with serving(server.bootstrap, 0.1):
            await asyncio.wait_for(again.wait(), 10)
    assert ids[0] != ids[1]
    assert "loop failed" in [line["event"] for line in logs]
