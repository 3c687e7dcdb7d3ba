"""Hostile files on the way that users' files take: the process of the servers outlives them all."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from embedded.stores import EmbeddedStores
from kari.conversation_models.v1.file_pb2 import FileState
from servers import topology
from servers.runtime.keys import ensure_keys
from servers.runtime.names import short
from servers.runtime.settings import child_environment
from servers.wiring import Wiring
from tests.hook_enabled_file import samples
from tests.hook_enabled_file.fuzzing import mutants
from tests.hook_enabled_file.intake import Intake
from tests.hosting import settings_for, until
from tests.multimedia.samples import drawn, filmed, recorded, saved
from tests.running import ROOT, free_block

SERVERS = ("hook_enabled_file", "file_attachment", "multimedia", "audit")
FILES = """
[hooks]
off = ["index", "summary"]

[media]
ocr = false
"""
EACH, AT_ONCE = 8, 6
KINDS = {
    "a.zip": samples.zipped({"a.txt": b"words " * 20, "b.zip": samples.zipped({"c": b"d"})}),
    "a.pdf": samples.pdf(["One page"], info="T"),
    "a.docx": samples.word("Some words"),
    "a.eml": samples.mail_with(samples.zipped({"a": b"b"})),
    "a.png": saved(drawn("Hi", size=(48, 32), height=12)),
    "a.mp3": recorded(0.2, "mp3", "libmp3lame", 44_100),
    "a.mp4": filmed(("Hi",), 1, (64, 48), sound=True),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Wiring, asyncio.subprocess.Process]]:
    """The servers of files in a process of their own, and the way to them."""
    folder: Path = tmp_path_factory.mktemp("served")
    (folder / "files.toml").write_text(FILES)
    settings = settings_for(stores, folder).model_copy(
        update={"grpc_port": free_block(len(topology.SERVERS))}
    )
    wiring = Wiring(settings, ensure_keys(settings))
    assert settings.postgres_url is not None
    environment = child_environment(
        KARI_DATA=str(folder),
        KARI_GRPC_PORT=str(settings.grpc_port),
        KARI_METRICS_PORT="0",
        KARI_POSTGRES_URL=settings.postgres_url.get_secret_value(),
    )
    words = (sys.executable, "-m", "servers", *SERVERS)
    process = await asyncio.create_subprocess_exec(
        *words, cwd=ROOT, env=environment, stdout=DEVNULL, stderr=DEVNULL
    )
    await until(lambda: serves(wiring), 120)
    yield wiring, process
    process.terminate()
    await process.wait()
    await wiring.close()


async def serves(wiring: Wiring) -> bool:
    """Whether it says that it serves."""
    address = f"127.0.0.1:{wiring.settings.grpc_port}"
    with suppress(grpc.aio.AioRpcError):
        async with grpc.aio.insecure_channel(address) as channel:
            answer = await HealthStub(channel).Check(HealthCheckRequest())
            return bool(answer.status == HealthCheckResponse.SERVING)
    return False


@pytest.mark.timeout(240)
async def test_the_servers_outlive_hostile_files(
    served: tuple[Wiring, asyncio.subprocess.Process],
) -> None:
    """Mutants are uploaded, go through the hooks to their end, and a good file after
    them is read as ever, by the same process."""
    wiring, process = served
    intake, slots = Intake(wiring), asyncio.Semaphore(AT_ONCE)

    async def became(name: str, data: bytes) -> str:
        async with slots:
            return short(FileState, (await intake.take(data, name)).state)

    with intake.somebody.acts(wiring):
        states = Counter(
            await asyncio.gather(
                *(
                    became(name, data)
                    for name, whole in KINDS.items()
                    for data in mutants(whole, EACH, seed=6)
                )
            )
        )
        good = await intake.take(KINDS["a.pdf"], "a.pdf")
    assert states.total() == EACH * len(KINDS)
    assert set(states) == {"ready", "refused"}
    assert (good.state, good.metadata["pages"]) == (FileState.FILE_STATE_READY, 1)
    assert process.returncode is None
    assert await serves(wiring)
