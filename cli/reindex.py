"""`kari reindex`: all vectors anew, from what Postgres has."""

import asyncio
import sys

import grpc
from rich.console import Console
from rich.progress import Progress

from cli.mesh import NotRunning, connected
from kari.production_memory.v1.production_memory_pb2 import ReindexRequest
from servers.runtime.errors import from_rpc
from servers.runtime.settings import read_settings


def run(after: str) -> int:
    """Shows how far it has come; gives the exit code: 130 if it was broken off."""
    place = [after]
    try:
        asyncio.run(_reindex(place))
    except NotRunning as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except grpc.aio.AioRpcError as error:
        sys.stderr.write(f"{from_rpc(error).message}\n{_go_on(place[0])}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"{_go_on(place[0])}\n")
        return 130
    return 0


async def _reindex(place: list[str]) -> None:
    async with connected(read_settings()) as mesh:
        console = Console(highlight=False)
        with Progress(console=console) as progress:
            queuing = progress.add_task("queuing", total=None)
            embedding = None
            queued = most = 0
            async for step in mesh.memory.Reindex(ReindexRequest(page_token=place[0])):
                place[0], queued = step.page_token, step.queued
                progress.update(queuing, completed=queued, total=max(step.messages, queued))
                if step.jobs_left and embedding is None:
                    embedding = progress.add_task("embedding", total=step.jobs_left)
                if embedding is not None:
                    most = max(most, step.jobs_left)
                    progress.update(embedding, total=most, completed=most - step.jobs_left)
        console.print(f"{queued} messages, memories, summaries and files are indexed anew")


def _go_on(token: str) -> str:
    if not token:
        return "nothing was queued; begin again with: kari reindex"
    return f"what was queued is done in the background; go on with: kari reindex --after {token}"
