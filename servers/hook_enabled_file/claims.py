"""Files whose hooks have to run: just uploaded, or put down by somebody.

A claim that is not renewed runs out and is given to whoever claims next: so the hooks of a file
come to their end however often somebody dies over it.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import TYPE_CHECKING

import grpc
import structlog

from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1.file_attachment_pb2 import (
    ClaimedFile,
    ClaimFilesRequest,
    RecordHooksRequest,
)
from servers.hook_enabled_file.claim import CLAIM_SECONDS
from servers.hook_enabled_file.metrics import FAILURES, UNDER_WAY
from servers.hook_enabled_file.pipeline import Pipeline
from servers.runtime.call import Call, acting
from servers.runtime.durations import duration
from servers.runtime.errors import Internal, KariError, from_rpc
from servers.runtime.ids import new_correlation_id
from servers.runtime.labelled import labelled
from servers.runtime.mesh_key import MeshKey

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub

NAME = "hook_enabled_file"
MOST_AT_ONCE = 32
"""Files under way in one process; how many hooks run at once is for `Trying` to say."""
MOST_HELD = 256
"""With those that wait for what is away."""
LOOK_SECONDS = 2.0
LONGEST_WAIT = 30.0
LEAVE_SECONDS = 2.0

log = structlog.get_logger("kari.hook_enabled_file")


class Claims:
    """Claims files and has their hooks run. `run` is one of the server's loops."""

    def __init__(
        self, files: "FileAttachmentServiceAsyncStub", pipeline: Pipeline, mesh_key: MeshKey
    ) -> None:
        self._files = files
        self._pipeline = pipeline
        self._mesh_key = mesh_key
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._beginning: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._draining = False

    def soon(self, file_id: str) -> None:
        """A file has just come in."""
        task = asyncio.create_task(self._begin(file_id))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    def drop(self, file_id: str) -> None:
        """A file is to be deleted: nobody needs to know more about it."""
        task = self._under_way.get(file_id)
        if task is not None:
            task.cancel()

    async def run(self) -> None:
        """Looks for files that nobody looks at, for ever; more rarely while that fails."""
        wait = LOOK_SECONDS
        while True:
            room = self._free()
            if room > 0:
                found = await self._claim(room)
                wait = LOOK_SECONDS if found is not None else min(wait * 2, LONGEST_WAIT)
                self._start(found or [])
            self._room.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._room.wait()

    async def drain(self) -> None:
        """Claims no more, and puts down what is under way: others go on with it at once."""
        self._draining = True
        if self._beginning:
            await asyncio.wait(self._beginning)
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _begin(self, file_id: str) -> None:
        if self._free() > 0:
            self._start(await self._claim(1, file_id) or [])

    def _free(self) -> int:
        """How many more files may be under way. Those that wait for what is away are not counted,
        up to a bound."""
        if self._draining:
            return 0
        active = len(self._under_way) - self._pipeline.waiting
        return min(MOST_AT_ONCE - active, MOST_HELD - len(self._under_way))

    async def _claim(self, limit: int, file_id: str = "") -> Sequence[ClaimedFile] | None:
        """Files that are ours now; None if they cannot be claimed."""
        request = ClaimFilesRequest(
            owner=self._owner, duration=duration(CLAIM_SECONDS), limit=limit, file_id=file_id
        )
        try:
            with acting(Call(new_correlation_id())):
                return (await self._files.ClaimFiles(request)).files
        except grpc.aio.AioRpcError as error:
            log.warning("files cannot be claimed", error=Reason.Name(from_rpc(error).reason))
            return None

    def _start(self, files: Sequence[ClaimedFile]) -> None:
        for claimed in files:
            file_id = claimed.file.id
            before = self._under_way.pop(file_id, None)
            if before is not None:  # its claim ran out under it
                before.cancel()
            task = asyncio.create_task(self._tried(claimed))
            self._under_way[file_id] = task
            task.add_done_callback(partial(self._over, file_id))
        UNDER_WAY.set(len(self._under_way))

    def _over(self, file_id: str, task: "asyncio.Task[None]") -> None:
        if self._under_way.get(file_id) is task:
            del self._under_way[file_id]
        UNDER_WAY.set(len(self._under_way))
        self._room.set()

    async def _tried(self, claimed: ClaimedFile) -> None:
        """Runs the hooks for the user who uploaded the file, under the upload's correlation id."""
        correlation_id = claimed.correlation_id or new_correlation_id()

        def acts() -> AbstractContextManager[object]:
            """A delegation runs out while a file waits for what is away: there is a new one."""
            who = self._mesh_key.delegate(
                NAME,
                user_id=claimed.file.user_id,
                tenant_id=claimed.tenant_id,
                roles=frozenset(claimed.roles),
            )
            return acting(Call(correlation_id, principal=who))

        with acts():
            if self._draining:  # it was being claimed when that began
                return await self._leave(claimed)
            try:
                await self._pipeline.run(claimed, acts)
            except asyncio.CancelledError:
                if self._draining:
                    await self._leave(claimed)
                raise
            except grpc.aio.AioRpcError as error:
                await self._put_down(claimed, from_rpc(error))
            except KariError as error:
                await self._put_down(claimed, error)
            except Exception as error:  # whatever it was, other files wait as well
                log.error("hooks failed", file=claimed.file.id, exc_info=error)
                await self._put_down(claimed, Internal())

    async def _put_down(self, claimed: ClaimedFile, error: KariError) -> None:
        """It is taken up again when its claim has run out: not at once, what failed may last. What
        no waiting mends is counted, so that it comes to an end."""
        reason = Reason.Name(error.reason)
        labelled(FAILURES, reason).inc()
        log.warning("file put down", file=claimed.file.id, reason=reason)
        if error.reason != Reason.REASON_LEASE_LOST:
            await self._leave(claimed, at_once=False, in_vain=not error.may_retry)

    async def _leave(
        self, claimed: ClaimedFile, *, at_once: bool = True, in_vain: bool = False
    ) -> None:
        """Says that no hook of a file is under way here any more: none is at fault if the process
        ends. Who cannot say so leaves the claim to run out."""
        request = RecordHooksRequest(
            file_id=claimed.file.id,
            claim=claimed.claim,
            under_way=False,
            put_down=at_once,
            in_vain=in_vain,
        )
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._files.RecordHooks(request)
        except (TimeoutError, grpc.aio.AioRpcError) as error:
            log.warning("claim left to run out", file=claimed.file.id, error=type(error).__name__)
