"""Files of mode 0600 that are whole or not there."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def create(file: Path, content: bytes) -> None:
    """Writes the file unless it exists. Of two processes that do so at once, one does."""
    if file.exists():
        return
    draft = _draft(file, content)
    try:
        # `link`, other than `rename`, fails where another process was first.
        os.link(draft, file)
    except FileExistsError:
        return
    finally:
        draft.unlink()
    sync_folder(file.parent)


def replace(file: Path, content: bytes) -> None:
    """Writes the file in the place of what was there: whole or not at all, also after a power
    cut."""
    draft = _draft(file, content)
    try:
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(file.parent)


@contextmanager
def alone(file: Path) -> Iterator[bool]:
    """Whether nobody else is inside for the same file, which may be read and replaced there. By a
    lock beside it: the file itself is another one each time."""
    lock = os.open(file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield _locked(lock)
    finally:
        os.close(lock)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder last, as `fsync` does for the bytes of a file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _draft(file: Path, content: bytes) -> Path:
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    return draft
