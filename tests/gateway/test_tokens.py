"""How long a socket lives: as long as its token, or the one that renews it."""

import time

import pytest
from websockets.exceptions import InvalidStatus

from gateway.app import Gateway
from gateway.closing import SESSION_ENDED, TOKEN_EXPIRED
from servers.runtime.ended_sessions import EndedSessions
from tests.gateway.client import Client, Frame, connected, eventually, text_of
from tests.gateway.http_client import http
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


async def _renew(client: Client, mesh: Mesh, session: str = "ses_1") -> None:
    token = mesh.identity.token(session=session)
    await client.send(refreshToken={"accessToken": token})
    await client.expect("welcome")


async def _events(client: Client) -> list[Frame]:
    """Events to the last one, with a welcome among them."""
    found: list[Frame] = []
    while "completed" not in (found[-1] if found else {}):
        frame = await client.receive()
        assert "turnEvent" in frame or "welcome" in frame, frame
        found += [frame["turnEvent"]] if "turnEvent" in frame else []
    return found


async def _sign_out(gateway: Gateway, token: str) -> None:
    async with http(gateway.url, cookie=f"kari_access={token}") as browser:
        assert (await browser.post("/v1/auth/logout", json={})).status == 204


async def _is_over(moment: float) -> bool:
    return time.time() > moment


async def test_a_renewed_socket_hears_news_after_its_first_token_ended(
    gateway: Gateway, mesh: Mesh
) -> None:
    """The hub ends what was opened with that one."""
    end = time.time() + 2
    async with connected(gateway.url, mesh.identity.token(seconds=2)) as client:
        conversation = mesh.hub.begin_conversation("ours", BOB.id, client.welcome["userId"])
        await client.send(presence={"conversationIds": [conversation.id]})
        await client.expect("ack")
        await mesh.hub.watchers_of(conversation.id, 1)
        await _renew(client, mesh)
        await eventually(lambda: _is_over(end + 0.1))
        await mesh.hub.watchers_of(conversation.id, 1)
        async with connected(gateway.url, mesh.identity.token(BOB)) as bob:
            await bob.send(typing={"conversationId": conversation.id, "typing": True})
            assert (await client.expect("typing"))["typing"]["userId"] == BOB.id


async def test_a_renewed_socket_reads_its_turn_on_after_its_first_token_ended(
    gateway: Gateway, mesh: Mesh
) -> None:
    """Without gap or repeat."""
    end = time.time() + 2
    async with connected(gateway.url, mesh.identity.token(seconds=2)) as client:
        await client.message("slow 4")
        await client.expect("ack")
        first = (await client.expect("turnEvent"))["turnEvent"]
        await client.send(refreshToken={"accessToken": mesh.identity.token()})
        await eventually(lambda: _is_over(end + 0.1))
        mesh.hub.step(4)
        events = [first, *await _events(client)]
    seqs = [int(event["position"]["seq"]) for event in events]
    assert seqs == list(range(1, len(events) + 1))
    assert text_of(events) == events[-1]["completed"]["message"]["content"]


async def test_signing_the_renewed_session_out_closes_the_socket(
    gateway: Gateway, mesh: Mesh
) -> None:
    """Not only the one with which it was opened."""
    async with connected(gateway.url, mesh.identity.token(session="ses_1")) as client:
        await _renew(client, mesh, "ses_2")
        await EndedSessions(mesh.redis, 60).add("ten_demo", "ses_2")
        assert await client.closed() == SESSION_ENDED.code


async def test_a_socket_outlives_a_session_that_it_left(gateway: Gateway, mesh: Mesh) -> None:
    """Its own is another by now."""
    first = mesh.identity.token(session="ses_1")
    async with connected(gateway.url, first) as client:
        await _renew(client, mesh, "ses_2")
        await _sign_out(gateway, first)
        await client.message("stream 1")
        assert await client.expect("ack")
        await _sign_out(gateway, mesh.identity.token(session="ses_2"))
        assert await client.closed() == SESSION_ENDED.code


async def test_a_token_of_a_session_that_ended_is_refused(client: Client, mesh: Mesh) -> None:
    """The socket goes on as before."""
    await EndedSessions(mesh.redis, 60).add("ten_demo", "ses_9")
    await client.send(refreshToken={"accessToken": mesh.identity.token(session="ses_9")})
    assert (await client.refused())["reason"] == "REASON_SESSION_REVOKED"
    await client.message("stream 1")
    assert await client.expect("ack")
