"""One file on its way through the hooks, one after the other; what each said is kept before the
next one runs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from kari.conversation_models.v1.file_pb2 import FileState, HookReport, HookVerdict
from kari.file_attachment.v1.file_attachment_pb2 import ClaimedFile, RecordHooksRequest
from servers.hook_enabled_file import plan, recording
from servers.hook_enabled_file.claim import Acts, Claim
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
from servers.runtime.audit_trail import AuditTrail
from servers.runtime.labelled import labelled
from servers.runtime.names import short

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub

log = structlog.get_logger("kari.hook_enabled_file")


@dataclass(frozen=True)
class Parts:
    """What files go through, and where what is said of them goes."""

    files: "FileAttachmentServiceAsyncStub"
    hooks: Sequence[Hook]
    """In their order."""
    trying: Trying
    trail: AuditTrail
    news: News


class Course:
    """The course of one claimed file. Whoever dies on the way, another one goes on with the hooks
    that have no final report."""

    def __init__(self, parts: Parts, claimed: ClaimedFile, acts: Acts) -> None:
        self._parts = parts
        self._claim = Claim(parts.files, parts.news, claimed, acts)
        self._looked = Looked(
            claimed.file,
            StoredFile(parts.files, claimed.file),
            claimed.tenant_id,
            claimed.strip_metadata,
            claimed.conversation_id,
            tell=self._tell,
            under_way=self._under_way,
            acting=acts,
        )
        self._fatal = plan.fatal(parts.hooks, claimed.file, claimed.claims_in_vain)
        self._waiting: list[HookReport] = []
        """Reports that are kept with the next ones."""
        self._now: Hook | None = None

    async def renew(self) -> None:
        """Keeps the claim meanwhile, for ever."""
        await self._claim.renew()

    async def look(self) -> None:
        """Runs the hooks that are left, up to the first that refuses."""
        for hook in plan.left(self._parts.hooks, self._looked.file):
            if plan.refused_by(self._parts.hooks, self._looked.file):
                break
            await self._one(hook)
        await self._end()

    async def _one(self, hook: Hook) -> None:
        looked = self._looked
        if why := hook.skips(looked):
            self._note(hook, Outcome(SKIPPED, why), 0.0)
            return
        self._now = hook
        await self._claim.keep(self._request([*self._waiting, report(hook, Outcome(RUNNING))]))
        self._waiting = []
        began = time.monotonic()
        outcome = recording.keepable(looked.file, hook, await self._tried(hook))
        self._now = None
        self._claim.tell(None)
        await self._audit(hook, outcome)
        self._note(hook, outcome, time.monotonic() - began)
        if _to_be_kept(outcome):
            request = self._request(self._waiting)
            recording.fill(request, outcome)
            await self._claim.keep(request)
            self._waiting = []
        # Little of it stays in memory while it waits for its next hook.
        looked.source = StoredFile(self._parts.files, looked.file)
        looked.forget(replaced=bool(outcome.replaced_by))

    async def _tried(self, hook: Hook) -> Outcome:
        if hook.name != self._fatal:
            return await self._parts.trying.look(hook, self._looked)
        GIVEN_UP.inc()
        log.error("hook given up", hook=hook.name, file=self._looked.file.id)
        return Outcome(FAILED, "whoever looked at it did not come to an end, again and again")

    async def _under_way(self, under_way: bool) -> None:
        request = self._request([])
        request.under_way = under_way
        await self._claim.keep(request)

    def _tell(self, words: str) -> None:
        if self._now is not None:
            self._claim.tell(report(self._now, Outcome(RUNNING, words)))

    async def _audit(self, hook: Hook, outcome: Outcome) -> None:
        """Puts what a hook said on the trail. A refusal is there before it counts."""
        made = recording.ended(self._looked.file, hook, outcome)
        if plan.refuses(hook, outcome):
            await self._parts.trail.keep(made)
        else:
            self._parts.trail.report(made)

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

    async def _end(self) -> None:
        hooks, file = self._parts.hooks, self._looked.file
        why = plan.refused_by(hooks, file)
        if why:
            rest = {r.hook for r in (*file.reports, *self._waiting)}
            skipped = Outcome(SKIPPED, "the file was refused")
            self._waiting += [report(hook, skipped) for hook in hooks if hook.name not in rest]
        if made := recording.skipped(file, [*file.reports, *self._waiting]):
            self._parts.trail.report(made)
        request = self._request(self._waiting)
        request.done = True
        if why:
            request.state = FileState.FILE_STATE_REFUSED
            request.refused_because = why[:1000]
        await self._claim.keep(request)
        state = short(FileState, file.state)
        labelled(FILES, state).inc()
        log.info("file looked at", file=file.id, state=state, type=file.content_type)

    def _request(self, reports: Sequence[HookReport]) -> RecordHooksRequest:
        """Ready as soon as every guard has passed: what follows finds things out of a file that
        can be read meanwhile."""
        request = self._claim.request(reports)
        seen = type(self._looked.file)()
        seen.reports.extend(self._looked.file.reports)
        seen.reports.extend(reports)
        if plan.state_with(self._parts.hooks, seen) == FileState.FILE_STATE_READY:
            request.state = FileState.FILE_STATE_READY
        return request


def _to_be_kept(outcome: Outcome) -> bool:
    return bool(outcome.metadata or outcome.summary or outcome.chunks or outcome.replaced_by)
