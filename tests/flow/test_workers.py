"""Two processes that share the ports, each with every server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import psutil
import pytest
import pytest_asyncio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from prometheus_client.parser import text_string_to_metric_families

from kari.chat_hub.v1.chat_hub_pb2 import (
    CancelTurnRequest,
    FollowTurnRequest,
    ListMessagesRequest,
    SendMessageRequest,
)
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.edge.v1.frames_pb2 import ClientFrame
from kari.errors.v1.errors_pb2 import Reason
from tests.flow.conftest import SLOW, UNHURRIED, fetched, models_file
from tests.running import Kari, free_block
from tests.socket_client import SocketClient, login, opened, text_of
from tests.upstream.server import Upstream

WORKERS = 2


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kari(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> AsyncIterator[Kari]:
    """One that runs with two workers. Tests leave it running, and it stops as one does."""
    folder = tmp_path_factory.mktemp("workers")
    kari = Kari.at(
        folder / "data",
        KARI_WORKERS=str(WORKERS),
        KARI_MODELS_FILE=str(models_file(folder, upstream)),
        KARI_METRICS_PORT=str(free_block(WORKERS)),
        KARI_TURN_LEASE_SECONDS="3",
    )
    await kari.start()
    yield kari
    assert await kari.stop() == 0


def is_worker(process: psutil.Process) -> bool:
    """Whether it has the servers; jobs of theirs end at any time."""
    try:
        return process.cmdline()[1:3] == ["-m", "servers"]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def holder_of(kari: Kari, client: SocketClient) -> psutil.Process:
    """The worker at the other end of a socket."""
    port = client.socket.local_address[1]
    workers = [p for p in kari.processes() if is_worker(p)]
    return next(
        worker
        for worker in workers
        for connection in worker.net_connections("tcp4")
        if connection.raddr and connection.raddr.port == port
    )


@pytest_asyncio.fixture(loop_scope="session")
async def pair(kari: Kari) -> AsyncIterator[tuple[SocketClient, SocketClient]]:
    """Two sockets of the demo user that are held by two workers: the system chooses a worker for
    each new connection, so it is asked until it has chosen both."""
    token, found = await login(kari), dict[int, SocketClient]()
    async with AsyncExitStack() as stack:
        while len(found) < WORKERS:
            client = await stack.enter_async_context(opened(kari, token))
            found.setdefault(holder_of(kari, client).pid, client)
        one, two = found.values()
        yield one, two


async def first_text(client: SocketClient, frame_id: str) -> None:
    """Waits for the first text of a turn."""
    while not (await client.answer_to(frame_id)).turn_event.HasField("delta"):
        pass


async def test_viewers_on_both_workers_see_the_same_stream(
    pair: tuple[SocketClient, SocketClient],
) -> None:
    """While it is written."""
    one, two = pair
    ack, frame_id = await one.say("for both", model=UNHURRIED)
    resume = FollowTurnRequest(turn_id=ack.turn.id)
    following = await two.send(ClientFrame(resume=resume))
    seen, there = await asyncio.gather(one.events(frame_id), two.events(following))
    assert seen[-1].HasField("completed")
    assert text_of(there) == text_of(seen)


async def test_a_turn_is_called_off_from_the_other_worker(
    pair: tuple[SocketClient, SocketClient],
) -> None:
    """Its leader hears of it where it keeps its lease."""
    one, two = pair
    ack, frame_id = await one.say("long story", model=SLOW)
    await first_text(one, frame_id)
    await two.ask(cancel_turn=CancelTurnRequest(turn_id=ack.turn.id))
    assert (await one.events(frame_id))[-1].HasField("cancelled")


async def test_a_busy_conversation_is_busy_on_both(
    pair: tuple[SocketClient, SocketClient],
) -> None:
    """And free for both as soon as its turn has ended."""
    one, two = pair
    ack, frame_id = await one.say("mine", model=UNHURRIED)
    await first_text(one, frame_id)
    request = SendMessageRequest(
        conversation_id=ack.conversation_id, content="mine too", request_id="r-" + ack.turn.id
    )
    refused = await two.ask(send_message=request)
    await one.events(frame_id)
    _, events = await two.turn("now mine", ack.conversation_id)
    assert refused.error.reason == Reason.REASON_TURN_ACTIVE
    assert events[-1].HasField("completed")


async def test_each_worker_serves_its_own_metrics(kari: Kari) -> None:
    """They name it, on its own port and on the shared one."""
    own = [await worker_at(url) for url in kari.metrics_urls()]
    assert own == ["1", "2"]
    assert await worker_at(f"{kari.http}/metrics") in own


async def worker_at(url: str) -> str:
    """Which worker's metrics are there."""
    families = text_string_to_metric_families(await asyncio.to_thread(fetched, url))
    return next(f.samples[0].labels["worker"] for f in families if f.name == "kari_process_info")


async def test_the_doctor_finds_everything_well(kari: Kari) -> None:
    """Whichever worker it asks."""
    code, output = await kari.command("doctor")
    assert code == 0, output
    assert "not running" not in output


async def test_another_kari_finds_the_ports_taken(kari: Kari, tmp_path: Path) -> None:
    """Sharing them is for the workers of one."""
    another = Kari(tmp_path / "data", kari.http_port, kari.grpc_port, False, kari.settings)
    code, output = await another.command("up")
    assert code == 1
    assert f"KARI_HTTP_PORT={kari.http_port}" in output


async def test_a_worker_that_is_killed_leaves_the_other_answering(
    kari: Kari, pair: tuple[SocketClient, SocketClient]
) -> None:
    """Its client comes back, finds the turn ended with the text so far, and goes on; the worker is
    started again."""
    one, two = pair
    ack, frame_id = await one.say("long story", model=SLOW)
    await first_text(one, frame_id)
    await killed(holder_of(kari, one))
    _, events = await two.turn("still there")
    assert events[-1].HasField("completed")
    async with opened(kari, await login(kari)) as back:
        resume = ClientFrame(resume=FollowTurnRequest(turn_id=ack.turn.id))
        ended = (await back.events(await back.send(resume)))[-1]
        listing = ListMessagesRequest(conversation_id=ack.conversation_id)
        history = (await back.ask(history=listing)).result.history
    assert ended.failed.error.reason == Reason.REASON_TURN_ABANDONED
    assert history.messages[0].partial
    await started_again(kari)


async def test_stopping_lets_turns_on_both_workers_come_to_their_end(
    kari: Kari, pair: tuple[SocketClient, SocketClient]
) -> None:
    """Both answers are there, whole, after another start."""
    acks = []
    for client in pair:
        ack, frame_id = await client.say("before the end", model=UNHURRIED)
        await first_text(client, frame_id)
        acks.append(ack)
    assert await kari.stop() == 0
    await kari.start()
    async with opened(kari, await login(kari)) as back:
        for ack in acks:
            listing = ListMessagesRequest(conversation_id=ack.conversation_id)
            newest = (await back.ask(history=listing)).result.history.messages[0]
            assert newest.role == MessageRole.MESSAGE_ROLE_ASSISTANT
            assert not newest.partial


async def killed(worker: psutil.Process) -> None:
    """Waits until it is gone: until then the system may still give it connections."""
    worker.kill()
    await asyncio.to_thread(worker.wait, 30)


async def started_again(kari: Kari) -> None:
    """Waits until the supervisor says so and all workers answer."""
    async with asyncio.timeout(60):
        while not any(line.endswith(": running again") for line in kari.printed):
            await asyncio.sleep(0.05)
    async with grpc.aio.insecure_channel(kari.address("chat_hub")) as channel:
        answer = await HealthStub(channel).Check(HealthCheckRequest())
    assert answer.status == HealthCheckResponse.SERVING
