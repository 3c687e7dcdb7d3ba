"""Hooks that the configuration adds: capsules that are asked about each file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import grpc

from kari.capsules.v1.capsules_pb2 import (
    Capsule,
    CapsuleResult,
    ExecuteRequest,
    ListCapsulesRequest,
)
from kari.conversation_models.v1.file_pb2 import HookKind
from servers.hook_enabled_file.asking import Answer, answer_of, question
from servers.hook_enabled_file.extracting import Extracting
from servers.hook_enabled_file.hooks import (
    FAILED,
    GUARD,
    PARTIAL,
    PASSED,
    REFUSED,
    Away,
    Looked,
    Outcome,
)
from servers.runtime.errors import from_envelope, from_rpc
from servers.runtime.limited import JobFailed, Why

if TYPE_CHECKING:
    from kari.capsules.v1.capsules_pb2_grpc import CapsulesServiceAsyncStub

LONGEST = 900
"""Characters of an explanation."""
METRICS, MOST_METRICS = "metrics", 20
"""What a run measured, beside what its capsule marks a file with."""


@dataclass(frozen=True)
class CapsuleHook:
    """A guard refuses what its capsule refuses, and closes a file when the run fails; another one
    marks it, in the file's metadata under its own name. Warnings of a run are in the explanation,
    what it measured in the metadata. The capsule runs as the user of the file, with the roles of
    the upload."""

    name: str
    kind: HookKind.ValueType
    capsule_id: str
    capsules: "CapsulesServiceAsyncStub"
    extracting: Extracting
    description: str
    types: Sequence[str] = ("*",)
    seconds: float = 60.0
    with_text: bool = True

    async def unavailable(self) -> str:
        """Without its capsule, as the caller may use it."""
        try:
            found = await self._found()
        except grpc.aio.AioRpcError as error:
            return f"{self.capsule_id} cannot be asked now: {from_rpc(error).message}"
        if found is None:
            return (
                f"there is no {self.capsule_id} for you: `kari capsule list` shows those there are"
            )
        return "" if found.available else f"{self.capsule_id}: {found.unavailable_because}"

    def skips(self, looked: Looked) -> str:
        """Files of other types."""
        if any(fnmatchcase(looked.file.content_type, pattern) for pattern in self.types):
            return ""
        return f"it has nothing to do with files of type {looked.file.content_type}"

    def listens(self, looked: Looked) -> bool:
        """Where the capsule is given the text of pictures and recordings."""
        return self.with_text and self.extracting.listens(looked.file.content_type)

    async def look(self, looked: Looked) -> Outcome:
        """Asks the capsule."""
        texts, left_out = await self._text(looked)
        request = ExecuteRequest(
            capsule_id=self.capsule_id,
            input_json=question(looked.file, texts, left_out),
            conversation_id=looked.conversation_id,
        )
        finished = await self._finished(request)
        record = {"capsule": self.capsule_id, "run": finished.run_id}
        if not finished.success:
            error = from_envelope(finished.error)
            if error.may_retry:
                raise Away(f"{self.capsule_id} cannot be asked now")
            return Outcome(FAILED, f"{self.capsule_id}: {error.message}"[:LONGEST], record=record)
        answer = answer_of(finished.result_json)
        if answer is None:
            why = f"{self.capsule_id} did not answer as a hook has to; docs/files.md shows how"
            return Outcome(FAILED, why, record=record)
        return self._outcome(answer, finished, record)

    def _outcome(
        self, answer: Answer, finished: CapsuleResult, record: Mapping[str, str]
    ) -> Outcome:
        verdict, why = PASSED, answer.reason
        if answer.verdict != "pass":
            verdict = REFUSED if self.kind == GUARD and answer.verdict == "refuse" else PARTIAL
            why = why or f"{self.capsule_id} does not let it pass"
        warnings = (f"warning: {each.message}" for each in finished.warnings)
        told = "; ".join([why, *warnings] if why else warnings)
        found = dict(answer.metadata)
        if finished.metrics:
            found.setdefault(METRICS, dict(sorted(finished.metrics.items())[:MOST_METRICS]))
        marks = {self.name: found} if found else {}
        return Outcome(verdict, told[:LONGEST], metadata=marks, record=record)

    async def _text(self, looked: Looked) -> tuple[list[str], list[str]]:
        """What the file says, and what was left out of it."""
        kind = looked.file.content_type
        if not self.with_text:
            return [], []
        if not self.extracting.reads(kind):
            return [], [f"there is no reader for files of type {kind}"]
        try:
            found = await self.extracting.of(looked)
        except JobFailed as failed:
            if failed.why is Why.ROOM:
                raise
            return [], [failed.sentence]
        return [segment.text for segment in found.segments], found.missing

    async def _finished(self, request: ExecuteRequest) -> CapsuleResult:
        run = self.capsules.Execute(request)
        try:
            async for event in run:
                if event.HasField("finished"):
                    return event.finished
        finally:
            run.cancel()
        raise Away(f"{self.capsule_id} ended without a result")

    async def _found(self) -> Capsule | None:
        token = ""
        while True:
            page = await self.capsules.ListCapsules(
                ListCapsulesRequest(page_size=200, page_token=token)
            )
            for capsule in page.capsules:
                if capsule.id == self.capsule_id:
                    return capsule
            token = page.next_page_token
            if not token:
                return None
