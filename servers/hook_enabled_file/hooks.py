"""What a hook is: something that looks at a file on its way in."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from kari.conversation_models.v1.file_pb2 import File, HookKind, HookReport, HookVerdict
from servers.runtime.durations import duration

if TYPE_CHECKING:
    from servers.hook_enabled_file.extracted import Extracted
    from servers.runtime.limited import JobFailed, Source

GUARD, ENRICH = HookKind.HOOK_KIND_GUARD, HookKind.HOOK_KIND_ENRICH
RUNNING = HookVerdict.HOOK_VERDICT_RUNNING
PASSED = HookVerdict.HOOK_VERDICT_PASSED
REFUSED = HookVerdict.HOOK_VERDICT_REFUSED
FAILED = HookVerdict.HOOK_VERDICT_FAILED
SKIPPED = HookVerdict.HOOK_VERDICT_SKIPPED
PARTIAL = HookVerdict.HOOK_VERDICT_PARTIAL
KEPT = 1_000_000
"""Characters of a text that is kept from one hook to the next; dozens of files may wait."""


class Away(Exception):
    """Something that a hook needs is away: nothing is said of the file, it is tried again. The
    message is one sentence for people."""


class Busy(Away):
    """What a hook needs is there, and others come first. Each of them comes to its end: it is no
    attempt that counts."""


@dataclass(frozen=True)
class Outcome:
    """What a hook found. A guard that says REFUSED or FAILED closes the file."""

    verdict: HookVerdict.ValueType = PASSED
    explanation: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)
    summary: str = ""
    chunks: int = 0
    replaced_by: str = ""
    """Id of a finished upload whose bytes take the place of the file's."""
    record: Mapping[str, str] = field(default_factory=dict)
    """What the audit trail is told besides, such as the names of rules. No content."""


async def _unnoted(_under_way: bool) -> None:
    """Nobody keeps it."""


@dataclass
class Looked:
    """A file that is being looked at."""

    file: File
    source: "Source"
    tenant_id: str
    strip_metadata: bool = False
    conversation_id: str = ""
    tell: Callable[[str], None] = lambda _: None
    """Takes how far a hook is, in a few words for people."""
    under_way: Callable[[bool], Awaitable[None]] = _unnoted
    """Takes whether a hook reads the bytes from now on: it may be what ends the process."""
    acting: "Callable[[], AbstractContextManager[object]]" = nullcontext
    """Within it calls are made for the file's user, however long it has waited."""
    extracted: "Extracted | None" = None
    """Its text, once a hook has read it."""
    unread: "JobFailed | None" = None
    """Why it could not be read, once a hook has found that out."""

    def forget(self, *, replaced: bool) -> None:
        """Lets go of a long text, which is read again when it is needed; and of any text of bytes
        that were replaced, with what the file told of its maker."""
        if replaced:
            self.unread = None
        if self.extracted is not None and (replaced or self.extracted.characters > KEPT):
            self.extracted = None


class Hook(Protocol):
    """One hook. It holds nothing of the files it has looked at."""

    @property
    def name(self) -> str:
        """Its name, such as `scan`."""

    @property
    def kind(self) -> HookKind.ValueType:
        """GUARD or ENRICH."""

    @property
    def description(self) -> str:
        """One sentence for people."""

    @property
    def seconds(self) -> float:
        """How long it may take over a small file."""

    async def unavailable(self) -> str:
        """Why it could not run now, and the way out; empty if it could. For people: a guard that
        cannot run fails, it is not left out."""

    def skips(self, looked: Looked) -> str:
        """Why it has nothing to do with a file; empty if it has."""

    def listens(self, looked: Looked) -> bool:
        """Whether it has pictures or recordings read, which may take minutes."""

    async def look(self, looked: Looked) -> Outcome:
        """Looks at a file. Away if it cannot do so now; `servers.runtime.limited.JobFailed` if the
        file was too much for it."""


def report(hook: Hook, outcome: Outcome, seconds: float = 0.0) -> HookReport:
    """What is kept of an outcome."""
    return HookReport(
        hook=hook.name,
        kind=hook.kind,
        verdict=outcome.verdict,
        explanation=outcome.explanation,
        duration=duration(seconds) if seconds else None,
    )
