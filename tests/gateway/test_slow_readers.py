"""A client that never reads, and the outbox that notices."""

import asyncio

from prometheus_client import REGISTRY

from gateway.closing import GOING_AWAY, TOO_SLOW
from gateway.outbox import MOST_FRAMES, Outbox
from tests.gateway.client import connected, eventually
from tests.gateway.conftest import Serve
from tests.gateway.mesh import Mesh
from tests.gateway.scripted_identity import BOB


def slow_readers() -> float:
    return REGISTRY.get_sample_value("kari_gateway_slow_readers_total") or 0.0


async def test_a_client_that_never_reads_is_closed(serve: Serve, mesh: Mesh) -> None:
    """It is counted, its stream was held up, and others are served all the while."""
    before, tokens = slow_readers(), (mesh.identity.token(), mesh.identity.token(BOB))
    async with (
        serve(slow_reader_seconds=0.5) as gateway,
        connected(gateway.url, tokens[0], max_queue=1) as lazy,
        connected(gateway.url, tokens[1]) as busy,
    ):
        await lazy.message("huge")

        async def closed() -> bool:
            await busy.message("stream 1")
            await busy.expect("ack")
            await busy.events()
            return slow_readers() > before

        await eventually(closed)
        (huge,) = [turn for turn in mesh.hub.turns.values() if turn.script.verb == "huge"]
        assert huge.sent < len(huge.events)
        assert await lazy.closed() == TOO_SLOW.code


async def test_a_reader_that_is_only_slow_gets_everything(serve: Serve, mesh: Mesh) -> None:
    """In order, however often the stream had to wait."""
    token = mesh.identity.token()
    async with serve() as gateway, connected(gateway.url, token, max_queue=1) as client:
        await client.message("huge")
        await client.expect("ack")
        events = await client.events()
    assert [int(event["position"]["seq"]) for event in events] == list(range(1, 404))


async def test_a_full_outbox_lets_nobody_put_until_somebody_gets() -> None:
    """That is what holds the streams up."""
    outbox = Outbox()
    for n in range(MOST_FRAMES):
        await outbox.put(str(n))
    waiting = asyncio.create_task(outbox.put("last"))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert outbox.get() == "0"
    await waiting
    assert [outbox.get() for _ in range(MOST_FRAMES)][-1] == "last"


async def test_bytes_fill_an_outbox_too() -> None:
    """A few large frames are enough."""
    outbox = Outbox()
    await outbox.put("x" * 300_000)
    waiting = asyncio.create_task(outbox.put("last"))
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.get()
    await waiting


async def test_the_closing_is_the_last_thing_out() -> None:
    """It needs no room, and the first one counts."""
    outbox = Outbox()
    for n in range(MOST_FRAMES):
        await outbox.put(str(n))
    outbox.close(GOING_AWAY)
    outbox.close(TOO_SLOW)
    await outbox.put("dropped")
    items = [outbox.get() for _ in range(MOST_FRAMES + 2)]
    assert items[-3:] == [str(MOST_FRAMES - 1), GOING_AWAY, None]


async def test_who_waits_for_room_is_let_go_when_the_outbox_is_cut() -> None:
    """Nothing is left of it, nor is there a closing."""
    outbox = Outbox()
    await outbox.put("x" * 300_000)
    waiting = asyncio.create_task(outbox.put("last"))
    await asyncio.sleep(0)
    outbox.cut()
    outbox.close(GOING_AWAY)
    await waiting
    assert outbox.get() is None


async def test_one_who_gives_up_waiting_holds_up_nobody() -> None:
    """The others still get the room."""
    outbox = Outbox()
    await outbox.put("x" * 300_000)
    impatient, patient = (asyncio.create_task(outbox.put(item)) for item in ("lost", "kept"))
    await asyncio.sleep(0)
    impatient.cancel()
    outbox.get()
    await patient
    assert outbox.get() == "kept"
