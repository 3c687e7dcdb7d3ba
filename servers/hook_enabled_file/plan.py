"""Which hooks a file still needs, in which order, and what a verdict means for it. Pure."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from kari.conversation_models.v1.file_pb2 import File, FileState, HookKind
from servers.hook_enabled_file.hooks import (
    FAILED,
    GUARD,
    PARTIAL,
    PASSED,
    REFUSED,
    RUNNING,
    SKIPPED,
    Hook,
    Looked,
    Outcome,
)

FINAL = frozenset({PASSED, REFUSED, FAILED, SKIPPED, PARTIAL})
CLOSING = frozenset({REFUSED, FAILED})
PAUSES = (1.0, 4.0, 15.0)
LONGEST_PAUSE = 300.0
MEGABYTE = 1_000_000
LARGE_BYTES = 64 * MEGABYTE
MEDIA_SECONDS = 600.0
"""As long as multimedia may take over a recording."""
MOST_IN_VAIN = 5
"""Claims of a file that may end with the process that had them, under one hook."""
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


class Queue(StrEnum):
    """Who waits behind whom: nobody behind what takes minutes if they do not themselves."""

    SHORT = "short"
    LARGE = "large"
    IMAGES = "images"
    RECORDINGS = "recordings"


def queue_of(hook: Hook, looked: Looked) -> Queue:
    """Where a hook waits for its turn with a file. One that has its text need not listen to it."""
    found = looked.extracted
    if hook.listens(looked) and (found is None or found.caption_later):
        image = looked.file.content_type.startswith("image/")
        return Queue.IMAGES if image else Queue.RECORDINGS
    return Queue.LARGE if looked.file.size_bytes > LARGE_BYTES else Queue.SHORT


def seconds_for(hook: Hook, looked: Looked) -> float:
    """How long a hook may take over a file."""
    media = MEDIA_SECONDS if hook.listens(looked) else 0.0
    return hook.seconds + media + looked.file.size_bytes / BYTES_A_SECOND


def pauses(kind: HookKind.ValueType, patience: float) -> Iterator[float]:
    """Seconds before each further attempt of a hook while something is away. A guard goes on for
    about `patience` seconds: the file is in quarantine meanwhile."""
    yield from PAUSES
    pause, left = PAUSES[-1], patience - sum(PAUSES)
    while kind == GUARD and left > 0:
        pause = min(pause * 2, LONGEST_PAUSE, left)
        left -= pause
        yield pause


def fatal(hooks: Sequence[Hook], file: File, claims_in_vain: int) -> str:
    """The hook of a file that ended process after process, and is not begun again; empty if none
    did. Of what is not known to be at fault nothing is said before `MOST_IN_VAIN` claims."""
    if claims_in_vain < MOST_IN_VAIN:
        return ""
    under_way = set(running(file))
    return next((hook.name for hook in left(hooks, file) if hook.name in under_way), "")


def running(file: File) -> list[str]:
    """Hooks that are under way, by their reports."""
    return [report.hook for report in file.reports if report.verdict == RUNNING]
