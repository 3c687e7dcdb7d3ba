"""The arrows of the topology against the trace of a running mesh: all of them, and no others."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
import redis.asyncio as redis

from kari.chat_hub.v1.chat_hub_pb2 import SearchRequest, SearchResponse
from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceStub
from servers import topology
from servers.runtime.interceptors.metrics import module_of
from tests.collector import Collector, Span
from tests.flow.conftest import OBEDIENT, QUOTING, models_file
from tests.flow.files import Drawer, settled
from tests.hook_enabled_file import asked
from tests.hook_enabled_file.samples import picture
from tests.hosting import until
from tests.running import Kari
from tests.socket_client import login, opened
from tests.upstream.server import Upstream

CLIENT = 3

CALLS = """!code.run {"code": "6 * 7"}
!memory.search {"query": "hello"}
!conversation.search {"query": "hello"}
!capsule.semantic_retriever {"query": "hello"}
!capsule.task_executor {"task": "Say hello."}
!time {}
!time {}
!time {}
"""
"""Tools that lead over every arrow of theirs, and a call that is refused the third time."""
TEXT = b"A text that is long enough to be summarized. " * 20

ARROWS = {(n.name, callee) for n in topology.NODES.values() for callee in n.calls}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trace(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> AsyncIterator[list[Span]]:
    """Spans of a Kari, spread, in which a turn was begun by a command and by a message, a word of
    it was searched for (by a command as well), tools were called, files sent, and what was said was
    summarized."""
    async with Collector() as collector:
        folder: Path = tmp_path_factory.mktemp("edges")
        kari = Kari.at(
            folder / "data",
            spread=True,
            KARI_OTLP_ENDPOINT=collector.endpoint,
            KARI_MODELS_FILE=str(models_file(folder, upstream)),
            KARI_FILES_FILE=str(captions_file(folder)),
            KARI_CAPSULES=str(folder / "capsules"),
            KARI_SUMMARY_TURNS="2",
        )
        await kari.start()
        token = await login(kari)
        async with opened(kari, token) as client:
            ack, events = await client.turn("hello")
            await forget_buffers(kari)
            await client.command(f"/pin {events[0].accepted.message.id}", ack.conversation_id)
            await client.command("/model", ack.conversation_id)
            await client.command("/search hello", ack.conversation_id)
            await client.turn(CALLS, ack.conversation_id, model=OBEDIENT)
            image = await settled(client, await Drawer(kari, token).upload("a.png", picture()))
            text = await settled(client, await Drawer(kari, token).upload("a.txt", TEXT))
            files = [image.id, text.id]
            await client.turn("See?", ack.conversation_id, model=QUOTING, file_ids=files)
            with_file = f'!code.run {{"code": "1", "files": ["{text.id}"]}}'
            await client.turn(with_file, ack.conversation_id, model=OBEDIENT)
            await Drawer(kari, token).request("DELETE", f"/v1/files/{text.id}")
            _, frame_id = await client.say("/set mode analysis\ngo on", ack.conversation_id)
            await client.events(frame_id)
        await search(kari, token)
        await until(lambda: summarized(kari, token))
        await collector.quiet()
        await kari.stop()
    yield collector.spans


def captions_file(folder: Path) -> Path:
    """Images are looked at by a model that sees, for everybody; a capsule is asked about files."""
    asked.shelved(folder / "capsules")
    file = folder / "files.toml"
    own = 'name = "customs"\nkind = "enrich"\ncapsule = "capsule.customs"'
    file.write_text(f'[caption]\nmodel = "{QUOTING}"\nrole = "chat.user"\n\n[[hooks.own]]\n{own}\n')
    return file


async def search(kari: Kari, token: str) -> SearchResponse:
    """As any client of the mesh does."""
    async with grpc.aio.insecure_channel(kari.address("chat_hub")) as channel:
        found = await ChatHubServiceStub(channel).Search(
            SearchRequest(query="hello"), metadata=[("authorization", f"Bearer {token}")]
        )
    assert "hello" in [result.content for result in found.results]
    return found


async def summarized(kari: Kari, token: str) -> bool:
    """Whether the summary of the two turns is found."""
    return bool((await search(kari, token)).summaries)


async def forget_buffers(kari: Kari) -> None:
    """Empties the session buffers, as a restart of Redis without its file would."""
    url = kari.part("chat_hub").environ()["KARI_REDIS_URL"]
    async with redis.from_url(url) as client:
        await client.delete(*await client.keys("kari:*:buffer:*"))


def arrows_of(spans: list[Span]) -> set[tuple[str, str]]:
    """Who called whom."""
    return {
        (span.attributes["kari.module"], module_of(f"/{span.name}"))
        for span in spans
        if span.kind == CLIENT and span.name.startswith("kari.")
    }


@pytest.mark.parametrize(("caller", "callee"), sorted(ARROWS), ids=lambda name: str(name))
def test_the_arrow_is_used(trace: list[Span], caller: str, callee: str) -> None:
    """An arrow that no turn uses does not belong in the topology."""
    assert (caller, callee) in arrows_of(trace)


def test_no_other_arrow_is_used(trace: list[Span]) -> None:
    """A call beside the topology is a shortcut."""
    assert arrows_of(trace) - ARROWS == set()


def test_a_turn_is_one_trace(trace: list[Span]) -> None:
    """From the socket to the commit."""
    finish = next(s for s in trace if s.name.endswith("/FinishTurn"))
    names = {s.name for s in trace if s.trace == finish.trace}
    assert any("SendMessage" in name for name in names)
    assert any(name.endswith("/BeginTurn") for name in names)


def test_every_call_has_both_of_its_sides(trace: list[Span]) -> None:
    """A span of a client whose server's is missing is a broken propagation."""
    parents = {span.parent for span in trace if span.kind != CLIENT}
    calls = [s for s in trace if s.kind == CLIENT and s.name.startswith("kari.")]
    assert calls
    assert [s.name for s in calls if s.id not in parents] == []
