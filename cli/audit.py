"""`kari audit`: the signed trail of who did what, shown and verified."""

import asyncio
import json
import sys
from collections.abc import Coroutine
from datetime import UTC

import grpc
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.progress import Progress

from cli.mesh import Mesh, NotRunning, connected
from kari.audit.v1.audit_pb2 import ListRecordsRequest, Record, Verdict, VerifyRequest
from kari.conversation_models.v1.audit_pb2 import AuditOutcome
from servers.runtime.errors import from_rpc
from servers.runtime.names import short
from servers.runtime.settings import read_settings

LOOK_SECONDS = 1.0


def verify() -> int:
    """Says whether the trail is as it was written; exit code 1 if it is not, or cannot be read."""
    return _answered(_verify())


def tail(request: ListRecordsRequest, *, follow: bool, as_json: bool) -> int:
    """Prints the last records, and those that come if it is to follow; gives the exit code."""
    return _answered(_tail(request, follow=follow, as_json=as_json))


def line(record: Record) -> str:
    """A record in a line: place, time, who, what came of what. Names in it may be made up by users
    and models: they cannot begin a line or move the cursor."""
    entry = record.entry
    when = entry.happened_at.ToDatetime(UTC).isoformat(timespec="seconds")
    outcome = short(AuditOutcome, entry.outcome)
    what = " ".join(filter(None, (entry.action, entry.resource)))
    details = " ".join(f"{key}={value}" for key, value in sorted(entry.details.items()))
    who = entry.user_id or record.server
    words = (f"{record.sequence:>6}", when, who, outcome, what, entry.reason, details)
    return "".join(c if c.isprintable() else "\ufffd" for c in "  ".join(filter(None, words)))


def _answered(work: Coroutine[None, None, int]) -> int:
    try:
        return asyncio.run(work)
    except NotRunning as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except grpc.aio.AioRpcError as error:
        sys.stderr.write(f"{from_rpc(error).message}\n")
        return 1
    except KeyboardInterrupt:
        return 130


async def _verify() -> int:
    async with connected(read_settings()) as mesh:
        with Progress(console=Console(stderr=True)) as progress:
            bar = progress.add_task("verifying", total=None)
            verified, verdict = 0, Verdict()
            async for step in mesh.audit.Verify(VerifyRequest()):
                verified, verdict = step.verified, step.verdict
                progress.update(bar, completed=verified, total=max(verified, step.records))
    if verdict.whole:
        told = verdict.explanation or f"{verified} records, all as they were written"
        sys.stdout.write(f"{told}\n")
        return 0
    sys.stdout.write(f"{verdict.explanation}\nrecords before it that are whole: {verified}\n")
    return 1


async def _tail(request: ListRecordsRequest, *, follow: bool, as_json: bool) -> int:
    async with connected(read_settings()) as mesh:
        while True:
            more = await _print_page(mesh, request, as_json=as_json)
            if not more and not follow:
                return 0
            if not more:
                await asyncio.sleep(LOOK_SECONDS)


async def _print_page(mesh: Mesh, request: ListRecordsRequest, *, as_json: bool) -> bool:
    """Prints what there is behind the place of the request and moves it on; whether there was
    anything to look at."""
    page = await mesh.audit.ListRecords(request)
    for record in page.records:
        shown = json.dumps(_fields(record)) if as_json else line(record)
        sys.stdout.write(f"{shown}\n")
    sys.stdout.flush()
    moved = page.through_sequence != request.after_sequence
    request.after_sequence = page.through_sequence
    return moved


def _fields(record: Record) -> dict[str, object]:
    found: dict[str, object] = MessageToDict(record, preserving_proto_field_name=True)
    return found
