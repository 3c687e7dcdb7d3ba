"""Files of mode 0600 that are whole or not there."""

import os
import secrets
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


def replace(file: Path, content: bytes) -> None:
    """Writes the file in the place of what was there."""
    draft = _draft(file, content)
    try:
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _draft(file: Path, content: bytes) -> Path:
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    return draft
