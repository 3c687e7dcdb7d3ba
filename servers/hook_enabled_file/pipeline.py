"""The pipeline of hooks, through which files go side by side."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from kari.file_attachment.v1.file_attachment_pb2 import ClaimedFile
from servers.hook_enabled_file.claim import Acts
from servers.hook_enabled_file.course import Course, Parts
from servers.hook_enabled_file.hooks import Hook
from servers.hook_enabled_file.news import News
from servers.hook_enabled_file.trying import Trying
from servers.runtime.audit_trail import AuditTrail
from servers.runtime.errors import Internal

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub


class Pipeline:
    """Runs the hooks over files."""

    def __init__(
        self,
        files: "FileAttachmentServiceAsyncStub",
        hooks: Sequence[Hook],
        trying: Trying,
        trail: AuditTrail,
        news: News,
    ) -> None:
        self._parts = Parts(files, hooks, trying, trail, news)

    @property
    def waiting(self) -> int:
        """Files that wait for what is away: they hold up nobody."""
        return self._parts.trying.waiting

    async def run(self, claimed: ClaimedFile, acts: Acts = nullcontext) -> None:
        """Runs what is left of the hooks of a file, for its user; the claim is renewed meanwhile.
        Within `acts` calls are made for the user. AioRpcError if what was found cannot be kept:
        somebody else goes on then."""
        course = Course(self._parts, claimed, acts)
        tasks = [asyncio.create_task(course.look()), asyncio.create_task(course.renew())]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in ended:
            if task.cancelled():  # not by us: a library under a hook did that
                raise Internal
            task.result()
