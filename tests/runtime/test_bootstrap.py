"""Starting, being looked at, draining and stopping."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from servers.runtime.bootstrap import Bootstrap, serving
from servers.runtime.keys import ensure_keys
from servers.runtime.resources import Resources
from servers.runtime.settings import Settings
from tests.runtime.mesh import Hub, Mesh, hosted, reason_of, security

SERVICE = "kari.chat_hub.v1.ChatHubService"
Status = health_pb2.HealthCheckResponse

# Only those outside of the process ask for these.
outside = pytest.mark.parametrize("mesh", ["socket"], indirect=True)


def a_bootstrap(
    folder: Path, *, resources: Resources | None = None, port: int = 0, **more: Any
) -> tuple[Bootstrap, Hub]:
    """A hub, not started yet."""
    hub, keys = Hub(), ensure_keys(Settings(data=folder))
    address = f"127.0.0.1:{port}"
    services = [hosted("chat_hub", hub, **more)]
    return Bootstrap(services, resources or Resources(), security(keys), address), hub


@outside
@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_the_services_without_a_token(mesh: Mesh, version: str) -> None:
    """New clients ask for v1, old ones for v1alpha."""
    channel = await mesh.socket("chat_hub")
    ask = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    answers = ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    names = [s.name async for a in answers for s in a.list_services_response.service]
    assert {SERVICE, "grpc.health.v1.Health"} <= set(names)
    assert {"grpc.reflection.v1.ServerReflection", "grpc.channelz.v1.Channelz"} <= set(names)


@outside
async def test_reflection_gives_the_contract_with_its_policy(mesh: Mesh) -> None:
    """grpcurl needs the file; other languages read the policy from it."""
    ask = (await mesh.socket("chat_hub")).stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE)
    answers = [answer async for answer in ask(iter([request]))]
    files = answers[0].file_descriptor_response.file_descriptor_proto
    assert any(b"GetConversation" in file for file in files)
    assert any(b"kari/policy/v1/policy.proto" in file for file in files)


@outside
async def test_channelz_is_for_administrators(mesh: Mesh) -> None:
    """It shows who is connected."""
    stub = channelz_pb2_grpc.ChannelzStub(await mesh.socket("chat_hub"))  # type: ignore[no-untyped-call]
    request = channelz_pb2.GetServersRequest()
    for metadata, reason in (
        ((), "REASON_TOKEN_MISSING"),
        (mesh.as_user(), "REASON_ROLE_MISSING"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetServers(request, metadata=metadata)
        assert reason_of(caught.value) == reason
    answer = await stub.GetServers(request, metadata=mesh.as_user("chat.admin"))
    assert answer.server


class Store:
    """A store that can go away."""

    def __init__(self) -> None:
        self.away = False

    async def ping(self, _opened: object) -> None:
        if self.away:
            raise ConnectionRefusedError

    @asynccontextmanager
    async def open(self) -> AsyncIterator[object]:
        yield self


@pytest.mark.parametrize(
    ("required", "whole"), [(True, Status.NOT_SERVING), (False, Status.SERVING)]
)
async def test_health_follows_the_stores(tmp_path: Path, required: bool, whole: int) -> None:
    """A required store that is away takes the servers down, another one only itself."""
    store, resources = Store(), Resources()
    resources.add("it", store.open, store.ping, required=required)
    bootstrap, _ = a_bootstrap(tmp_path, resources=resources)
    async with serving(bootstrap, 0.1) as port:
        seen = [await statuses(port)]
        for store.away in (True, False):
            await bootstrap.check_health()
            seen.append(await statuses(port))
    up = (Status.SERVING,) * 3
    assert seen == [up, (whole, whole, Status.NOT_SERVING), up]


async def statuses(port: int) -> tuple[int, ...]:
    """Health of all, of the hub and of the store."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        requests = [health_pb2.HealthCheckRequest(service=s) for s in ("", SERVICE, "store.it")]
        return tuple([(await stub.Check(request)).status for request in requests])


async def test_health_can_be_watched(mesh: Mesh) -> None:
    """The standard's stream, through our interceptors."""
    stub = health_pb2_grpc.HealthStub(await mesh.plain("chat_hub"))
    call = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
    assert (await call.read()).status == Status.SERVING
    call.cancel()


async def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    """Two processes must not share one silently."""
    first, _ = a_bootstrap(tmp_path)
    async with serving(first, 0.1) as port:
        second, _ = a_bootstrap(tmp_path, port=port)
        with pytest.raises(RuntimeError):
            async with serving(second, 0.1):
                pass


async def test_servers_that_both_share_a_port_have_it_together(tmp_path: Path) -> None:
    """One that does not is refused still."""
    keys = ensure_keys(Settings(data=tmp_path))

    def sharing(port: int, *, reuse_port: bool = True) -> Bootstrap:
        address, services = f"127.0.0.1:{port}", [hosted("chat_hub", Hub())]
        return Bootstrap(services, Resources(), security(keys), address, reuse_port=reuse_port)

    async with serving(sharing(0), 0.1) as port:
        async with serving(sharing(port), 0.1) as shared:
            assert shared == port
        with pytest.raises(RuntimeError):
            async with serving(sharing(port, reuse_port=False), 0.1):
                pass
