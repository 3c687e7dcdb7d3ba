"""How long a socket lives: as long as its token, or the one that renews it."""

import pytest
from websockets.exceptions import InvalidStatus

from gateway.app import Gateway
from gateway.closing import SESSION_ENDED, TOKEN_EXPIRED
from servers.runtime.ended_sessions import EndedSessions
from tests.gateway.client import Client, connected
from tests.gateway.mesh import Mesh
from tests.gateway.scripted_identity import BOB


async def test_a_socket_closes_when_its_token_ends(gateway: Gateway, mesh: Mesh) -> None:
    """With the code that says: refresh and come back."""
    async with connected(gateway.url, mesh.identity.token(seconds=2)) as client:
        assert await client.closed() == TOKEN_EXPIRED.code


async def test_a_session_that_was_signed_out_elsewhere_ends_here(
    gateway: Gateway, mesh: Mesh
) -> None:
    """Within seconds for open sockets, at once for new ones."""
    token, ended = mesh.identity.token(session="ses_9"), EndedSessions(mesh.redis, 60)
    async with connected(gateway.url, token) as client:
        await ended.add("ten_demo", "ses_9")
        assert await client.closed() == SESSION_ENDED.code
    with pytest.raises(InvalidStatus) as refused:
        async with connected(gateway.url, token):
            pass
    assert b"REASON_SESSION_REVOKED" in (refused.value.response.body or b"")


async def test_a_renewed_socket_outlives_its_first_token(gateway: Gateway, mesh: Mesh) -> None:
    """It closes when the second one ends."""
    async with connected(gateway.url, mesh.identity.token(seconds=2)) as client:
        first = client.welcome["expiresAt"]
        token = mesh.identity.token(seconds=3)
        await client.send(id="renew", refreshToken={"accessToken": token})
        renewed = await client.expect("welcome")
        assert (renewed["id"], renewed["welcome"]["expiresAt"] > first) == ("renew", True)
        assert await client.closed() == TOKEN_EXPIRED.code


async def test_calls_carry_the_renewed_token(client: Client, mesh: Mesh) -> None:
    """The hub sees the roles of the new one."""
    nobody = BOB.__class__(id=client.welcome["userId"], tenant_id="ten_demo", roles=[])
    token = mesh.identity.token(nobody)
    await client.send(refreshToken={"accessToken": token})
    await client.expect("welcome")
    await client.message("stream 1")
    assert (await client.refused())["reason"] == "REASON_ROLE_MISSING"


async def test_a_token_of_another_user_is_refused(client: Client, mesh: Mesh) -> None:
    """The socket goes on as before."""
    await client.send(refreshToken={"accessToken": mesh.identity.token(BOB)})
    assert (await client.refused())["reason"] == "REASON_TOKEN_INVALID"
    await client.message("stream 1")
    assert await client.expect("ack")
