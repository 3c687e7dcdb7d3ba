"""`kari jobs`: the work that waits behind the turns, and what was set aside."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table

from cli.mesh import Mesh, NotRunning, connected
from kari.production_memory.v1.jobs_pb2 import (
    CountJobsRequest,
    DiscardJobsRequest,
    FailedJob,
    JobCount,
    ListFailedJobsRequest,
    RetryJobsRequest,
)
from servers.runtime.errors import from_rpc
from servers.runtime.settings import read_settings

KINDS = {
    "embed": "batches of messages",
    "files": "batches of pieces of files",
    "memories": "batches of memories",
    "learn": "turns to learn from",
    "procedures": "turns to keep procedures of",
}
"""What the jobs of each kind are; a batch is of a few dozen texts whose vectors are made."""
UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def show() -> int:
    """Prints counts by kind and every job that was set aside; gives the exit code."""
    return _run(_show)


def retry(ids: Sequence[int]) -> int:
    """Puts jobs back, all for none; gives the exit code: 1 if there was none such."""

    async def run(mesh: Mesh) -> int:
        retried = (await mesh.memory.RetryJobs(RetryJobsRequest(job_ids=ids))).retried
        return _decided(retried, "put back into the queue", ids)

    return _run(run)


def discard(ids: Sequence[int]) -> int:
    """Drops jobs; gives the exit code: 1 if there was none such."""

    async def run(mesh: Mesh) -> int:
        discarded = (await mesh.memory.DiscardJobs(DiscardJobsRequest(job_ids=ids))).discarded
        return _decided(discarded, "discarded", ids)

    return _run(run)


def named(kind: str) -> str:
    """What the jobs of a kind are, with its name in the metrics."""
    return f"{KINDS[kind]} ({kind})" if kind in KINDS else kind


def age(since: Timestamp) -> str:
    """How long ago that was, in its largest unit."""
    return lasting(time.time() - since.ToNanoseconds() / 1e9)


def lasting(seconds: float) -> str:
    """A time in its largest unit, such as `3 min`."""
    for size, unit in UNITS:
        if seconds >= size:
            return f"{int(seconds / size)} {unit}"
    return f"{max(int(seconds), 0)} s"


def _run(work: Callable[[Mesh], Awaitable[int]]) -> int:
    async def run() -> int:
        async with connected(read_settings()) as mesh:
            return await work(mesh)

    try:
        return asyncio.run(run())
    except NotRunning as error:
        sys.stderr.write(f"{error}\n")
    except grpc.aio.AioRpcError as error:
        sys.stderr.write(f"{from_rpc(error).message}\n")
    return 1


def _decided(count: int, what: str, ids: Sequence[int]) -> int:
    print(f"{count} {'job' if count == 1 else 'jobs'} {what}")
    return int(bool(ids) and count < len(set(ids)))


async def _show(mesh: Mesh) -> int:
    console = Console(highlight=False)
    console.print(_counts((await mesh.memory.CountJobs(CountJobsRequest())).counts))
    table = _table(
        "job", "kind", "queued", "set aside", "error", "retries", "tenant", "correlation"
    )
    token = ""
    while True:
        page = await mesh.memory.ListFailedJobs(ListFailedJobsRequest(page_token=token))
        for job in page.jobs:
            table.add_row(*_row(job))
        token = page.next_page_token
        if not token:
            break
    if table.row_count:
        console.print("\nset aside; try again with `kari jobs retry`:")
        console.print(table)
    return 0


def _counts(counts: Iterable[JobCount]) -> Table | str:
    table = _table("kind", "waiting", "running", "set aside", "oldest")
    for each in counts:
        oldest = age(each.oldest_at) if each.HasField("oldest_at") else "-"
        numbers = (str(each.waiting), str(each.running), str(each.failed))
        table.add_row(named(each.kind), *numbers, oldest)
    return table if table.row_count else "no job waits"


def _row(job: FailedJob) -> tuple[str, ...]:
    return (
        str(job.id),
        job.kind,
        f"{age(job.queued_at)} ago",
        f"{age(job.failed_at)} ago",
        job.error or "-",
        str(job.retries),
        job.tenant_id,
        job.correlation_id,
    )


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False)
