"""Messages and their answers, over a real WebSocket."""

import asyncio

from gateway.app import Gateway
from tests.gateway.client import Client, connected, text_of
from tests.gateway.mesh import Mesh
from tests.gateway.scripted_identity import BOB


async def test_a_message_is_acknowledged_and_its_answer_streams(client: Client) -> None:
    """Ack first, then the events in order, all under the frame's id."""
    frame_id = await client.message("stream 5")
    ack = await client.expect("ack")
    events = await client.events()
    assert ack["id"] == frame_id
    assert [int(event["position"]["seq"]) for event in events] == list(range(1, 9))
    assert text_of(events) == events[-1]["completed"]["message"]["content"]


async def test_the_correlation_id_travels_to_the_hub_and_back(client: Client, mesh: Mesh) -> None:
    """One id for the frame, its call and its answer."""
    asked = {"content": "stream 1", "requestId": "r1"}
    await client.send(correlationId="my.id-1", sendMessage=asked)
    assert (await client.expect("ack"))["correlationId"] == "my.id-1"
    assert mesh.hub.correlation_ids == ["my.id-1"]


async def test_a_cancelled_turn_ends_with_the_text_so_far(client: Client, mesh: Mesh) -> None:
    """The cancel is acknowledged; the end comes through the stream."""
    await client.message("slow 9")
    turn_id = (await client.expect("ack"))["ack"]["turn"]["id"]
    mesh.hub.step(2)
    events = [(await client.expect("turnEvent"))["turnEvent"] for _ in range(4)]
    await client.send(id="stop", cancelTurn={"turnId": turn_id})
    frames = [await client.receive(), await client.receive()]
    assert {frame["id"] for frame in frames} == {"f1", "stop"}
    ended = next(f["turnEvent"]["cancelled"] for f in frames if "turnEvent" in f)
    assert ended["message"]["content"] == text_of(events)


async def test_an_error_of_the_hub_arrives_as_its_envelope(client: Client) -> None:
    """Type, reason, details, and whether to try again."""
    frame_id = await client.message("down")
    error = await client.refused()
    assert (error["id"], error["type"]) == (frame_id, "ERROR_TYPE_UNAVAILABLE")
    assert (error["reason"], error["retryable"]) == ("REASON_STORE_UNAVAILABLE", True)
    assert error["details"] == {"store": "postgres"}


async def test_a_defect_of_the_hub_is_told_without_its_text(client: Client) -> None:
    """Its correlation id finds it in the logs."""
    await client.message("defect")
    error = await client.refused()
    assert (error["type"], error.get("retryable")) == ("ERROR_TYPE_INTERNAL", None)
    assert "secret" not in error["message"]
    assert error["correlationId"]


async def test_a_failed_turn_ends_with_its_envelope(client: Client) -> None:
    """After the text so far."""
    await client.message("fail 2")
    await client.expect("ack")
    events = await client.events()
    assert events[-1]["failed"]["error"]["reason"] == "REASON_PROVIDERS_FAILED"


async def test_a_cut_between_gateway_and_hub_is_bridged(client: Client, mesh: Mesh) -> None:
    """No event is lost or repeated."""
    await client.message("cut 2")
    await client.expect("ack")
    events = await client.events()
    assert [int(event["position"]["seq"]) for event in events] == list(range(1, 6))
    assert mesh.hub.follows == 2


async def test_a_request_that_hangs_holds_up_no_other(client: Client, mesh: Mesh) -> None:
    """Pages are answered while a message waits."""
    await client.message("hang")
    await mesh.hub.hanging.wait()
    await client.send(id="list", conversations={})
    assert (await client.expect("result"))["id"] == "list"


async def test_calls_end_with_their_socket(gateway: Gateway, mesh: Mesh) -> None:
    """Nobody waits for an answer that nobody reads."""
    async with connected(gateway.url, mesh.identity.token()) as client:
        await client.message("hang")
        await mesh.hub.hanging.wait()
    await asyncio.wait_for(mesh.hub.let_go.wait(), 10)
    assert mesh.hub.turns == {}


async def test_a_turn_lives_on_without_its_socket(gateway: Gateway, mesh: Mesh) -> None:
    """Another socket resumes it where the first one stopped."""
    async with connected(gateway.url, mesh.identity.token()) as first:
        await first.message("slow 3")
        turn_id = (await first.expect("ack"))["ack"]["turn"]["id"]
        mesh.hub.step(1)
        seen = [(await first.expect("turnEvent"))["turnEvent"] for _ in range(3)]
    mesh.hub.step(2)
    async with connected(gateway.url, mesh.identity.token()) as second:
        await second.send(resume={"turnId": turn_id, "after": seen[-1]["position"]})
        events = await second.events()
    assert text_of(seen + events) == events[-1]["completed"]["message"]["content"]


async def test_two_sockets_follow_one_turn(client: Client, gateway: Gateway, mesh: Mesh) -> None:
    """Both see the same events."""
    await client.message("slow 4")
    turn_id = (await client.expect("ack"))["ack"]["turn"]["id"]
    async with connected(gateway.url, mesh.identity.token()) as other:
        await other.send(resume={"turnId": turn_id})
        await other.expect("turnEvent")
        mesh.hub.step(4)
        assert (await other.events()) == (await client.events())[1:]


async def test_a_turn_of_another_socket_is_announced(
    client: Client, gateway: Gateway, mesh: Mesh
) -> None:
    """To those who watch the conversation."""
    conversation = mesh.hub.begin_conversation("ours", BOB.id, client.welcome["userId"])
    await client.send(presence={"conversationIds": [conversation.id]})
    await client.expect("ack")
    await mesh.hub.watchers_of(conversation.id, 1)
    async with connected(gateway.url, mesh.identity.token(BOB)) as bob:
        await bob.message("stream 1", conversationId=conversation.id)
        started = (await client.expect("turnStarted"))["turnStarted"]
    assert (started["conversationId"], started["userId"]) == (conversation.id, BOB.id)


async def test_typing_reaches_the_other_participants(
    client: Client, gateway: Gateway, mesh: Mesh
) -> None:
    """Through the hub."""
    conversation = mesh.hub.begin_conversation("ours", BOB.id, client.welcome["userId"])
    await client.send(presence={"conversationIds": [conversation.id]})
    await client.expect("ack")
    await mesh.hub.watchers_of(conversation.id, 1)
    async with connected(gateway.url, mesh.identity.token(BOB)) as bob:
        await bob.send(typing={"conversationId": conversation.id, "typing": True})
        assert (await client.expect("typing"))["typing"]["userId"] == BOB.id


async def test_leaving_a_conversation_ends_its_watch(client: Client, mesh: Mesh) -> None:
    """Presence at the hub lasts as long as the stream."""
    conversation = mesh.hub.begin_conversation("mine", client.welcome["userId"])
    await client.send(presence={"conversationIds": [conversation.id]})
    await mesh.hub.watchers_of(conversation.id, 1)
    await client.send(presence={"conversationIds": []})
    await mesh.hub.watchers_of(conversation.id, 0)


async def test_a_conversation_of_somebody_else_is_not_found(client: Client, mesh: Mesh) -> None:
    """As if there were none."""
    conversation = mesh.hub.begin_conversation("bob's own", BOB.id)
    await client.send(history={"conversationId": conversation.id})
    assert (await client.refused())["reason"] == "REASON_CONVERSATION_NOT_FOUND"


async def test_a_command_is_acknowledged_with_its_result(client: Client) -> None:
    """A confirmation is answered by a frame of its own."""
    await client.send(command={"text": "/persona technical_expert", "requestId": "r1"})
    ack = (await client.expect("ack"))["ack"]
    asked = {"conversationId": ack["conversationId"], "accepted": True}
    await client.send(answer={**asked, "proposalId": ack["results"][0]["proposalId"]})
    done = (await client.expect("ack"))["ack"]["results"][0]
    assert done["status"] == "INSTRUCTION_STATUS_APPLIED"


async def test_history_comes_in_pages_with_the_turn_under_way(client: Client) -> None:
    """The latest first."""
    await client.message("slow 1")
    ack = (await client.expect("ack"))["ack"]
    await client.send(id="page", history={"conversationId": ack["conversationId"]})
    frame = await client.receive()
    while frame["id"] != "page":
        frame = await client.receive()
    history = frame["result"]["history"]
    assert history["messages"][0]["content"] == "slow 1"
    assert history["activeTurn"]["id"] == ack["turn"]["id"]
