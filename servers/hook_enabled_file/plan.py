"""Which hooks a file still needs, in which order, and what a verdict means for it. Pure."""

from collections.abc import Sequence

from kari.conversation_models.v1.file_pb2 import File, FileState
from servers.hook_enabled_file.hooks import (
    FAILED,
    GUARD,
    PARTIAL,
    PASSED,
    REFUSED,
    RUNNING,
    SKIPPED,
    Hook,
    Outcome,
)
from servers.hook_enabled_file.kinds import reads_media

FINAL = frozenset({PASSED, REFUSED, FAILED, SKIPPED, PARTIAL})
CLOSING = frozenset({REFUSED, FAILED})
MEGABYTE = 1_000_000
LARGE_BYTES = 64 * MEGABYTE
MEDIA_SECONDS = 600.0
"""As long as multimedia may take over a recording."""
BYTES_A_SECOND = 15 * MEGABYTE
"""What a hook gets through at least, on a core that others use too."""


def ordered(hooks: Sequence[Hook], order: Sequence[str]) -> list[Hook]:
    """Hooks in the order of their names, those that are not named behind; guards before all others,
    so that a file is ready as soon as nothing can refuse it any more."""
    place = {name: at for at, name in enumerate(order)}
    by_name = sorted(hooks, key=lambda hook: place.get(hook.name, len(place)))
    return sorted(by_name, key=lambda hook: hook.kind != GUARD)


def left(hooks: Sequence[Hook], file: File) -> list[Hook]:
    """Hooks that have not come to their end with a file: whoever ran the others may be gone."""
    ended = {report.hook for report in file.reports if report.verdict in FINAL}
    return [hook for hook in hooks if hook.name not in ended]


def refuses(hook: Hook, outcome: Outcome) -> bool:
    """Whether an outcome closes the file."""
    return hook.kind == GUARD and outcome.verdict in CLOSING


def refused_by(hooks: Sequence[Hook], file: File) -> str:
    """Why guards that ended have refused a file; empty if none has."""
    guards = {hook.name for hook in hooks if hook.kind == GUARD}
    for report in file.reports:
        if report.verdict in CLOSING and report.hook in guards:
            return report.explanation or f"it did not pass {report.hook}"
    return ""


def state_with(hooks: Sequence[Hook], file: File) -> FileState.ValueType:
    """Where a file stands, going by its reports: ready when no guard is left."""
    if refused_by(hooks, file):
        return FileState.FILE_STATE_REFUSED
    if any(hook.kind == GUARD for hook in left(hooks, file)):
        return FileState.FILE_STATE_QUARANTINED
    return FileState.FILE_STATE_READY


def is_slow(hook: Hook, file: File) -> bool:
    """Whether a hook may take minutes over a file: it must not hold up others then."""
    return file.size_bytes > LARGE_BYTES or (hook.kind != GUARD and reads_media(file.content_type))


def seconds_for(hook: Hook, file: File) -> float:
    """How long a hook may take over a file."""
    listening = hook.kind != GUARD and reads_media(file.content_type)
    media = MEDIA_SECONDS if listening else 0.0
    return hook.seconds + media + file.size_bytes / BYTES_A_SECOND


def running(file: File) -> list[str]:
    """Hooks that are under way, by their reports."""
    return [report.hook for report in file.reports if report.verdict == RUNNING]
