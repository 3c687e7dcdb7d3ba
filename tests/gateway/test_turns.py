"""Messages and their answers, over a real WebSocket."""

from tests.gateway.client import Client, text_of


async def test_a_message_is_acknowledged_and_its_answer_streams(client: Client) -> None:
    """Ack first, then the events in order, all under the frame's id."""
    frame_id = await client.message("stream 5")
    ack = await client.expect("ack")
    events = await client.events()
    assert ack["id"] == frame_id
    assert [int(event["position"]["seq"]) for event in events] == list(range(1, 9))
    assert text_of(events) == events[-1]["completed"]["message"]["content"]
