"""How much a user and a tenant may send, with Redis and without."""

import pytest
from pydantic import SecretStr

from gateway.limits import LOGINS_BY_ADDRESS, LOGINS_BY_NAME, Limits
from gateway.shared import SharedCounters
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.errors import RateLimited
from servers.runtime.settings import Settings
from tests.gateway.client import connected
from tests.gateway.conftest import Serve
from tests.gateway.mesh import Mesh
from tests.gateway.scripted_identity import BOB

ADA = Principal("user_ada", "ten_1", frozenset())
CIA = Principal("user_cia", "ten_1", frozenset())
DAN = Principal("user_dan", "ten_2", frozenset())


def limits(settings: Settings, mesh: Mesh, **changes: int) -> Limits:
    """As one gateway has them, at a time that stands still."""
    shared = SharedCounters(mesh.redis)
    return Limits(settings.model_copy(update=changes), shared, clock=lambda: 30.0)


async def test_a_user_sends_so_many_messages_in_a_minute(serve: Serve, mesh: Mesh) -> None:
    """One more is refused with limit, window and when to try again."""
    token = mesh.identity.token()
    async with serve(messages_per_minute=2) as gateway, connected(gateway.url, token) as client:
        for _ in range(2):
            await client.send(command={"text": "/help", "requestId": "r"})
            await client.expect("ack")
        await client.send(id="third", command={"text": "/help", "requestId": "r"})
        error = await client.refused()
    assert (error["id"], error["reason"]) == ("third", "REASON_MESSAGE_RATE")
    assert error["details"] == {"limit": "2", "window": "minute"}
    assert 0 < float(error["retryAfter"].rstrip("s")) <= 120


async def test_reading_is_not_counted(serve: Serve, mesh: Mesh) -> None:
    """Only messages and commands are."""
    token = mesh.identity.token()
    async with serve(messages_per_minute=1) as gateway, connected(gateway.url, token) as client:
        for _ in range(5):
            await client.send(conversations={})
            assert await client.expect("result")


async def test_gateways_count_together(settings: Settings, mesh: Mesh) -> None:
    """Through Redis."""
    one = limits(settings, mesh, messages_per_minute=3)
    two = limits(settings, mesh, messages_per_minute=3)
    await one.message(ADA)
    await two.message(ADA)
    await one.message(ADA)
    with pytest.raises(RateLimited):
        await two.message(ADA)
    await two.message(CIA)


async def test_a_tenant_has_a_limit_of_its_own(settings: Settings, mesh: Mesh) -> None:
    """Other tenants do not notice."""
    counted = limits(settings, mesh, tenant_messages_per_minute=2)
    await counted.message(ADA)
    await counted.message(CIA)
    with pytest.raises(RateLimited) as found:
        await counted.message(ADA)
    assert found.value.details["limit"] == "2"
    await counted.message(DAN)


async def test_signing_in_is_limited_by_name_and_by_address(settings: Settings, mesh: Mesh) -> None:
    """Whoever guesses one password, or many."""
    counted = limits(settings, mesh)
    for _ in range(LOGINS_BY_NAME.limit):
        await counted.login("", "ada", "10.0.0.1")
    with pytest.raises(RateLimited) as found:
        await counted.login("demo", "ada", "10.0.0.2")
    assert found.value.reason == Reason.REASON_SIGN_IN_RATE
    for n in range(LOGINS_BY_ADDRESS.limit - LOGINS_BY_NAME.limit):
        await counted.login("", f"name{n}", "10.0.0.1")
    with pytest.raises(RateLimited):
        await counted.login("", "another", "10.0.0.1")


async def test_without_redis_each_gateway_counts_alone(
    serve: Serve, mesh: Mesh, nowhere: SecretStr
) -> None:
    """Chat goes on, the limit holds, and the client is told what is missing."""
    token = mesh.identity.token(BOB)
    changes = {"redis_url": nowhere, "messages_per_minute": 1}
    async with serve(**changes) as gateway, connected(gateway.url, token) as client:
        await client.send(command={"text": "/help", "requestId": "r"})
        await client.expect("ack")
        await client.send(command={"text": "/help", "requestId": "r"})
        assert (await client.refused())["reason"] == "REASON_MESSAGE_RATE"
    missing = {"feature": "FEATURE_SHARED_LIMITS", "cause": "redis"}
    assert client.welcome["degradations"] == [missing]
