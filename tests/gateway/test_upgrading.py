"""Who gets a socket: decided before the upgrade, with the envelope as the body of a refusal."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from gateway.app import Gateway
from gateway.closing import TOO_MANY_CONNECTIONS
from kari.edge.v1.frames_pb2 import ClientFrame, ServerFrame
from tests.gateway.client import Client, connected, eventually
from tests.gateway.conftest import Serve
from tests.gateway.mesh import Mesh


def upgrade(
    gateway: Gateway,
    headers: Mapping[str, str] | None = None,
    protocols: Sequence[str] = ("kari.v1.json",),
    origin: str | None = None,
) -> connect:
    return connect(
        gateway.url.replace("http", "ws") + "/v1/chat",
        additional_headers=headers,
        subprotocols=[Subprotocol(protocol) for protocol in protocols] or None,
        origin=Origin(origin) if origin else None,
    )


async def refusal(attempt: connect) -> tuple[int, dict[str, Any]]:
    """Status and envelope."""
    with pytest.raises(InvalidStatus) as found:
        await attempt
    response = found.value.response
    assert response.headers["content-type"] == "application/json"
    return response.status_code, json.loads(response.body or b"")


async def welcomed(connection: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(await connection.recv())["welcome"]
    return frame


def forged(token: str) -> str:
    head, claims, signature = token.split(".")
    return f"{head}.{claims}.{signature[::-1]}"


async def test_without_a_token_there_is_no_socket(gateway: Gateway) -> None:
    """401 and the envelope."""
    status, envelope = await refusal(upgrade(gateway))
    assert (status, envelope["reason"]) == (401, "REASON_TOKEN_MISSING")
    assert envelope["correlationId"]


async def test_an_expired_token_is_refused_as_such(gateway: Gateway, mesh: Mesh) -> None:
    """The client knows that it has to refresh."""
    headers = {"authorization": f"Bearer {mesh.identity.token(seconds=-1)}"}
    status, envelope = await refusal(upgrade(gateway, headers))
    assert (status, envelope["reason"]) == (401, "REASON_TOKEN_EXPIRED")
    assert envelope["details"]["error_code"] == "TOKEN_EXPIRED"


@pytest.mark.parametrize("change", [forged, lambda token: "x", lambda token: token + "é"])
async def test_a_forged_token_is_refused(gateway: Gateway, mesh: Mesh, change: Any) -> None:
    """And so is one that is none."""
    headers = {"authorization": f"Bearer {change(mesh.identity.token())}"}
    status, envelope = await refusal(upgrade(gateway, headers))
    assert (status, envelope["reason"]) == (401, "REASON_TOKEN_INVALID")


async def test_a_token_may_come_as_a_subprotocol(gateway: Gateway, mesh: Mesh) -> None:
    """For browsers of other origins, which can send neither headers nor our cookie."""
    protocols = ("kari.v1.json", f"bearer.{mesh.identity.token()}")
    async with upgrade(gateway, protocols=protocols) as connection:
        assert (await welcomed(connection))["userId"]
        assert connection.subprotocol == "kari.v1.json"


async def test_a_cookie_counts_on_pages_of_this_host(gateway: Gateway, mesh: Mesh) -> None:
    """The browser says where the page is from."""
    headers = {"cookie": f"kari_access={mesh.identity.token()}"}
    async with upgrade(gateway, headers, origin=gateway.url) as connection:
        assert (await welcomed(connection))["userId"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None, "http://127.0.0.1:1"])
async def test_a_cookie_does_not_count_elsewhere(
    gateway: Gateway, mesh: Mesh, origin: str | None
) -> None:
    """403: another site cannot open a socket in the name of its visitor."""
    headers = {"cookie": f"kari_access={mesh.identity.token()}"}
    status, envelope = await refusal(upgrade(gateway, headers, origin=origin))
    assert (status, envelope["reason"]) == (403, "REASON_ORIGIN_NOT_ALLOWED")


async def test_settings_may_name_further_origins(serve: Serve, mesh: Mesh) -> None:
    """Exactly those."""
    headers = {"cookie": f"kari_access={mesh.identity.token()}"}
    async with serve(origins="https://a.example, https://b.example") as gateway:
        connection = await upgrade(gateway, headers, origin="https://b.example")
        assert (await welcomed(connection))["userId"]
        await connection.close()


async def test_unknown_subprotocols_are_refused(gateway: Gateway, mesh: Mesh) -> None:
    """The envelope names the known ones."""
    headers = {"authorization": f"Bearer {mesh.identity.token()}"}
    status, envelope = await refusal(upgrade(gateway, headers, ("soap",)))
    assert (status, envelope["details"]["subprotocols"]) == (400, "kari.v1.json or kari.v1.proto")


async def test_a_client_without_subprotocols_speaks_json(gateway: Gateway, mesh: Mesh) -> None:
    """Such as a terminal tool."""
    headers = {"authorization": f"Bearer {mesh.identity.token()}"}
    async with upgrade(gateway, headers, ()) as connection:
        assert connection.subprotocol is None
        assert (await welcomed(connection))["userId"]


async def test_the_binary_subprotocol_carries_the_same_frames(gateway: Gateway, mesh: Mesh) -> None:
    """Protobuf in binary frames."""
    headers = {"authorization": f"Bearer {mesh.identity.token()}"}
    async with upgrade(gateway, headers, ("kari.v1.proto",)) as connection:
        welcome = ServerFrame.FromString(await connection.recv(decode=False)).welcome
        frame = ClientFrame(id="f1")
        frame.send_message.content, frame.send_message.request_id = "stream 1", "r1"
        await connection.send(frame.SerializeToString())
        ack = ServerFrame.FromString(await connection.recv(decode=False))
    assert welcome.tenant_id == "ten_demo"
    assert (ack.id, ack.ack.turn.request_id) == ("f1", "r1")


async def test_the_correlation_id_of_the_upgrade_is_answered(gateway: Gateway, mesh: Mesh) -> None:
    """For logs on both sides."""
    headers = {"authorization": f"Bearer {mesh.identity.token()}", "x-correlation-id": "my.id"}
    async with upgrade(gateway, headers) as connection:
        assert connection.response is not None
        assert connection.response.headers["x-correlation-id"] == "my.id"


async def test_compression_is_off(gateway: Gateway, mesh: Mesh) -> None:
    """It costs more than it saves on short frames."""
    headers = {"authorization": f"Bearer {mesh.identity.token()}"}
    async with upgrade(gateway, headers) as connection:
        assert connection.protocol.extensions == []


async def _holds(redis: Redis, places: int) -> bool:
    (key,) = await redis.keys("kari:*:sockets:*")
    return bool(await redis.zcard(key) == places)


async def test_a_user_has_only_so_many_sockets(serve: Serve, mesh: Mesh) -> None:
    """Counted over all gateways; one more is told why, and one that went makes room."""
    token = mesh.identity.token()
    async with (
        serve(connections_per_user=2) as one,
        serve(connections_per_user=2) as two,
        connected(one.url, token),
        connected(two.url, token) as second,
    ):
        third = Client(await upgrade(one, {"authorization": f"Bearer {token}"}))
        error = await third.refused()
        assert await third.closed() == TOO_MANY_CONNECTIONS.code
        await second.connection.close()
        redis = await mesh.redis.get()
        await eventually(lambda: _holds(redis, 1))
        async with connected(one.url, token):
            pass
    assert (error["reason"], error["details"]["limit"]) == ("REASON_CONNECTION_LIMIT", "2")
