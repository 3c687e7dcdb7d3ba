"""The hooks of one file, one after the other; what each said is kept before the next one runs.

Whoever dies on the way, another one goes on with the hooks that have no final report.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import structlog
from google.protobuf.json_format import ParseDict

from kari.conversation_models.v1.audit_pb2 import AuditOutcome
from kari.conversation_models.v1.file_pb2 import File, FileState, HookReport, HookVerdict
from kari.file_attachment.v1.file_attachment_pb2 import ClaimedFile, RecordHooksRequest
from servers.hook_enabled_file import plan
from servers.hook_enabled_file.hooks import (
    FAILED,
    PARTIAL,
    RUNNING,
    SKIPPED,
    Hook,
    Looked,
    Outcome,
    report,
)
from servers.hook_enabled_file.metrics import FILES, GIVEN_UP, HOOKS, SECONDS
from servers.hook_enabled_file.news import News
from servers.hook_enabled_file.stored import StoredFile
from servers.hook_enabled_file.trying import Trying
from servers.runtime.audit_trail import AuditTrail, entry
from servers.runtime.labelled import labelled
from servers.runtime.names import short

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub

RENEW_SECONDS = 10.0
TELL_SECONDS = 1.0

Acts = Callable[[], AbstractContextManager[object]]

log = structlog.get_logger("kari.hook_enabled_file")


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
        self._files = files
        self._hooks = hooks
        self._trying = trying
        self._trail = trail
        self._news = news

    async def run(self, claimed: ClaimedFile, acts: Acts = nullcontext) -> None:
        """Runs what is left of the hooks of a file, for its user; the claim is renewed meanwhile.
        Within `acts` calls are made for the user. AioRpcError if what was found cannot be kept:
        somebody else goes on then."""
        one = _One(self, claimed, acts)
        looking = asyncio.create_task(one.look())
        renewing = asyncio.create_task(one.renew())
        try:
            await asyncio.wait({looking, renewing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (looking, renewing):
                task.cancel()
            await asyncio.wait({looking, renewing})
        for task in (looking, renewing):
            if not task.cancelled():
                task.result()

    @property
    def waiting(self) -> int:
        """Files that wait for what is away: they hold up nobody."""
        return self._trying.waiting

    @property
    def hooks(self) -> Sequence[Hook]:
        """In their order."""
        return self._hooks

    async def record(self, request: RecordHooksRequest) -> File:
        """Keeps what hooks said, and tells those who follow."""
        response = await self._files.RecordHooks(request)
        self._news.tell(request.file_id)
        return response.file

    async def audit(self, looked: Looked, hook: Hook, outcome: Outcome) -> None:
        """Puts what a hook said on the trail. A refusal is there before it counts."""
        refused = plan.refuses(hook, outcome)
        made = entry(
            "file.hook",
            _AUDITED.get(outcome.verdict, AuditOutcome.AUDIT_OUTCOME_DONE),
            resource=looked.file.id,
            reason="REASON_FILE_REFUSED" if refused else "",
            details={
                "hook": hook.name,
                "verdict": short(HookVerdict, outcome.verdict),
                "sha256": looked.file.sha256,
                **outcome.record,
            },
        )
        if refused:
            await self._trail.keep(made)
        else:
            self._trail.report(made)

    def audit_skipped(self, looked: Looked, reports: Iterable[HookReport]) -> None:
        """One record of all hooks that had nothing to do with a file."""
        skipped = {each.hook: each.explanation for each in reports if each.verdict == SKIPPED}
        if skipped:
            why = "; ".join(f"{hook}: {because}" for hook, because in skipped.items())
            details = {"hooks": ", ".join(skipped), "sha256": looked.file.sha256, "why": why[:900]}
            done = AuditOutcome.AUDIT_OUTCOME_DONE
            made = entry("file.hooks_skipped", done, resource=looked.file.id, details=details)
            self._trail.report(made)

    def looked(self, claimed: ClaimedFile) -> Looked:
        """A claimed file as hooks see it."""
        file = claimed.file
        return Looked(
            file,
            StoredFile(self._files, file),
            claimed.tenant_id,
            claimed.strip_metadata,
            claimed.conversation_id,
        )

    async def tried(self, hook: Hook, looked: Looked) -> Outcome:
        """What a hook says in the end."""
        return await self._trying.look(hook, looked)

    def stored(self, looked: Looked) -> None:
        """Has the hooks read the bytes that the file has now."""
        looked.source = StoredFile(self._files, looked.file)


_AUDITED = {
    HookVerdict.HOOK_VERDICT_REFUSED: AuditOutcome.AUDIT_OUTCOME_REFUSED,
    HookVerdict.HOOK_VERDICT_FAILED: AuditOutcome.AUDIT_OUTCOME_FAILED,
}


class _One:
    """One file."""

    def __init__(self, pipeline: Pipeline, claimed: ClaimedFile, acts: Acts) -> None:
        self._pipeline = pipeline
        self._claim = claimed.claim
        self._looked = pipeline.looked(claimed)
        self._looked.tell = self._tell
        self._looked.under_way = self._under_way
        self._fatal = plan.fatal(claimed.file, claimed.claims_in_vain)
        self._looked.acting = acts
        self._waiting: list[HookReport] = []
        """Reports that are kept with the next ones."""
        self._now: Hook | None = None
        self._telling: tuple[Hook, str] | None = None
        self._keeping = asyncio.Lock()

    async def look(self) -> None:
        """Runs the hooks that are left, up to the first that refuses."""
        for hook in plan.left(self._pipeline.hooks, self._looked.file):
            if plan.refused_by(self._pipeline.hooks, self._looked.file):
                break
            await self._one(hook)
        await self._end()

    async def renew(self) -> None:
        """Keeps the claim, and keeps how far the hook under way is."""
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(TELL_SECONDS)
            if self._telling is None and time.monotonic() - renewed < RENEW_SECONDS:
                continue
            renewed = time.monotonic()
            # One at a time: a report of a hook that runs must not replace that of its end.
            async with self._keeping:
                telling, self._telling = self._telling, None
                reports = [report(telling[0], Outcome(RUNNING, telling[1]))] if telling else []
                with self._looked.acting():
                    await self._pipeline.record(self._request(reports))

    async def _one(self, hook: Hook) -> None:
        looked = self._looked
        if why := hook.skips(looked):
            self._note(hook, Outcome(SKIPPED, why), 0.0)
            return
        self._now = hook
        await self._record([report(hook, Outcome(RUNNING))])
        began = time.monotonic()
        outcome = await self._tried(hook)
        self._now, self._telling = None, None
        await self._pipeline.audit(looked, hook, outcome)
        self._note(hook, outcome, time.monotonic() - began)
        if _to_be_kept(outcome):
            await self._record([], outcome)
        # Little of it stays in memory while it waits for its next hook.
        self._pipeline.stored(looked)
        looked.forget(replaced=bool(outcome.replaced_by))

    async def _tried(self, hook: Hook) -> Outcome:
        if hook.name != self._fatal:
            return await self._pipeline.tried(hook, self._looked)
        GIVEN_UP.inc()
        log.error("hook given up", hook=hook.name, file=self._looked.file.id)
        return Outcome(FAILED, "whoever looked at it did not come to an end, again and again")

    async def _under_way(self, under_way: bool) -> None:
        request = self._request(self._waiting)
        request.under_way = under_way
        await self._keep(request)

    def _tell(self, words: str) -> None:
        if self._now is not None:
            self._telling = (self._now, words)

    def _note(self, hook: Hook, outcome: Outcome, seconds: float) -> None:
        self._waiting.append(report(hook, outcome, seconds))
        verdict = short(HookVerdict, outcome.verdict)
        labelled(HOOKS, hook.name, verdict).inc()
        if outcome.verdict == SKIPPED:
            return
        labelled(SECONDS, hook.name).observe(seconds)
        quiet = outcome.verdict not in plan.CLOSING and outcome.verdict != PARTIAL
        tell = log.debug if quiet else log.info
        tell("hook ended", hook=hook.name, verdict=verdict, file=self._looked.file.id)
        # The next hooks go by it before it is kept.
        self._looked.file.reports.append(self._waiting[-1])

    async def _record(self, reports: Sequence[HookReport], outcome: Outcome | None = None) -> None:
        await self._keep(self._request([*self._waiting, *reports], outcome))

    async def _end(self) -> None:
        hooks, file = self._pipeline.hooks, self._looked.file
        why = plan.refused_by(hooks, file)
        if why:
            rest = {r.hook for r in (*file.reports, *self._waiting)}
            skipped = Outcome(SKIPPED, "the file was refused")
            self._waiting += [report(hook, skipped) for hook in hooks if hook.name not in rest]
        self._pipeline.audit_skipped(self._looked, [*file.reports, *self._waiting])
        request = self._request(self._waiting)
        request.done = True
        if why:
            request.state = FileState.FILE_STATE_REFUSED
            request.refused_because = why[:1000]
        await self._keep(request)
        state = short(FileState, self._looked.file.state)
        labelled(FILES, state).inc()
        log.info("file looked at", file=file.id, state=state, type=file.content_type)

    async def _keep(self, request: RecordHooksRequest) -> None:
        async with self._keeping:
            with self._looked.acting():
                self._looked.file.CopyFrom(await self._pipeline.record(request))
        self._waiting = []

    def _request(
        self, reports: Sequence[HookReport], outcome: Outcome | None = None
    ) -> RecordHooksRequest:
        file = self._looked.file
        request = RecordHooksRequest(file_id=file.id, claim=self._claim, reports=reports)
        state = self._state(reports)
        if state == FileState.FILE_STATE_READY:
            request.state = state
        if outcome is not None:
            ParseDict(dict(outcome.metadata), request.metadata)
            request.summary = outcome.summary
            request.chunks = outcome.chunks
            request.replaced_by_request_id = outcome.replaced_by
        return request

    def _state(self, reports: Sequence[HookReport]) -> FileState.ValueType:
        """Ready as soon as every guard has passed: what follows finds things out of a file that
        can be read meanwhile."""
        seen = type(self._looked.file)()
        seen.reports.extend(self._looked.file.reports)
        seen.reports.extend(reports)
        return plan.state_with(self._pipeline.hooks, seen)


def _to_be_kept(outcome: Outcome) -> bool:
    return bool(outcome.metadata or outcome.summary or outcome.chunks or outcome.replaced_by)
