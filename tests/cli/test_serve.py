"""`kari serve`: parts of the mesh in a process of one's own."""

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from embedded.folder import DataFolder
from embedded.stores import EmbeddedStores, Store
from servers import topology
from servers.__main__ import require_stores
from servers.runtime.settings import Misconfigured, Settings, child_environment
from tests.conftest import report
from tests.running import ROOT, free_block

SERVING = HealthCheckResponse.SERVING


async def serve(data: Path, *names: str, **settings: str) -> Process:
    """`kari serve` with these settings."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "serve", *names),
        cwd=ROOT,
        env=child_environment(KARI_DATA=str(data), **settings),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
    )


async def ended(process: Process) -> tuple[int | None, str]:
    """Its exit code and what it printed."""
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()


async def health(port: int, service: str) -> HealthCheckResponse.ServingStatus.ValueType:
    """What a server says of itself as soon as it listens."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        request = HealthCheckRequest(service=service)
        answer = await HealthStub(channel).Check(request, wait_for_ready=True, timeout=60)
    return answer.status


async def test_a_part_that_there_is_not_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    """Exit code 2."""
    code, output = await ended(await serve(tmp_path / "data", "nonsense"))
    assert code == 2
    for name in topology.NODES:
        assert name in output


async def test_a_store_without_a_url_is_one_line(tmp_path: Path) -> None:
    """Before anything is made: no traceback, no data folder."""
    code, output = await ended(await serve(tmp_path / "data", "identity"))
    assert code == 2
    assert len(output.splitlines()) == 1
    assert "KARI_POSTGRES_URL, KARI_REDIS_URL" in output
    assert not (tmp_path / "data").exists()


async def test_a_served_part_is_healthy_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """SIGTERM is exit code 0."""
    port = free_block(1)
    with DataFolder(tmp_path / "stores") as folder:
        async with EmbeddedStores(folder, {Store.REDIS}, report) as stores:
            assert stores.redis_url is not None
            given = {"KARI_GRPC_PORT": str(port), "KARI_REDIS_URL": stores.redis_url}
            process = await serve(tmp_path / "data", "stream_processor", **given)
            assert await health(port, topology.service_of("stream_processor")) == SERVING
            process.send_signal(signal.SIGTERM)
            code, output = await ended(process)
    assert code == 0, output


@pytest.mark.parametrize("name", topology.NODES)
def test_every_store_of_a_part_has_to_be_given(name: str) -> None:
    """Each is named; with all of them there is nothing to say."""
    needed = topology.NODES[name].stores
    given = {f"{store}_url": f"{store}://there" for store in needed}
    require_stores([name], Settings.model_validate(given))
    for store in needed:
        left = {key: url for key, url in given.items() if key != f"{store}_url"}
        with pytest.raises(Misconfigured, match=f"KARI_{store.upper()}_URL"):
            require_stores([name], Settings.model_validate(left))
