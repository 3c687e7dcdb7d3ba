"""Hooks that do what a test has them do, in a pipeline on the real files."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kari.conversation_models.v1.file_pb2 import File, HookKind
from kari.file_attachment.v1 import file_attachment_pb2 as kept
from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceStub
from servers.hook_enabled_file.hooks import GUARD, Away, Looked, Outcome
from servers.hook_enabled_file.kinds import reads_media
from servers.hook_enabled_file.news import News
from servers.hook_enabled_file.pipeline import Pipeline
from servers.hook_enabled_file.trying import Trying
from servers.runtime.audit_trail import AuditTrail
from servers.runtime.durations import duration
from servers.runtime.ids import new_id
from servers.runtime.limited import BytesSource
from tests.file_attachment.attachment import Attachment
from tests.hook_enabled_file.intake import Intake


@dataclass
class Odd:
    """A hook that does what a test has it do: each outcome once, the last for ever."""

    does: Sequence[Any] = (Outcome(),)
    kind: HookKind.ValueType = GUARD
    name: str = "odd"
    seconds: float = 30.0
    description: str = ""
    looked_at: list[str] = field(default_factory=list)

    async def unavailable(self) -> str:
        """It can run."""
        return ""

    def skips(self, looked: Looked) -> str:
        """Nothing."""
        return ""

    def listens(self, looked: Looked) -> bool:
        """To pictures and recordings."""
        return reads_media(looked.file.content_type)

    async def look(self, looked: Looked) -> Outcome:
        """Does the next thing."""
        self.looked_at.append(looked.file.id)
        does = self.does[min(len(self.looked_at), len(self.does)) - 1]
        if isinstance(does, BaseException):
            raise does
        if isinstance(does, asyncio.Event):
            await does.wait()
            return Outcome()
        found: Outcome = does
        return found


@dataclass
class Waiting(Odd):
    """Something that it needs is away until it is back."""

    back: asyncio.Event = field(default_factory=asyncio.Event)

    async def look(self, looked: Looked) -> Outcome:
        """Passes then."""
        if not self.back.is_set():
            raise Away("it is away")
        return Outcome()


def looked(size: int = 10, content_type: str = "") -> Looked:
    """A file to be looked at."""
    file = File(id=new_id("file"), size_bytes=size, content_type=content_type)
    return Looked(file, BytesSource(b""), "t")


async def claim(attachment: Attachment, data: bytes, seconds: float = 60) -> kept.ClaimedFile:
    """A new file whose hooks the test runs: the server looks for such files too, and may be
    first."""
    for _ in range(5):
        file = await attachment.upload(data)
        request = kept.ClaimFilesRequest(owner="tests", duration=duration(seconds), file_id=file.id)
        found = (await attachment.stub.ClaimFiles(request)).files
        if found:
            return found[0]
    raise AssertionError("the server was first five times")


def pipeline(
    intake: Intake,
    hooks: Sequence[Odd],
    trail: AuditTrail | None = None,
    trying: Trying | None = None,
) -> Pipeline:
    """A pipeline of hooks of the test, on the real files."""
    stub = FileAttachmentServiceStub(intake.wiring.channel("hook_enabled_file", "file_attachment"))

    async def append(_: object) -> None:
        return None

    trying = trying or Trying(lambda _: ())
    return Pipeline(stub, hooks, trying, trail or AuditTrail(append), News())
