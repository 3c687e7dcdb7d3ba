"""The data folder: one Kari at a time, closed to others, of a known layout."""

import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import Self

from embedded.errors import StartError
from servers.runtime import private_files

LAYOUT = "kari data, layout 1"
LEAST_FREE_BYTES = 512 * 1024 * 1024
ELSEWHERE = "set KARI_DATA to another folder"
# A start that ended before the stamp leaves its lock; docs/models.md and docs/tools.md have people
# put files there; `kari serve` and `kari chat` leave the rest.
BEFORE_THE_STAMP = {"lock", "models.toml", "tools.toml", "keys", "first-accounts", "chat-history"}


class DataFolder:
    """Everything that is kept, in one folder of mode 0700. A context manager: held while inside.

    Entering creates the folder if need be and raises `StartError` if another process holds it, if
    it is not ours, if its layout is another, or if less than `least_free_bytes` are free and there
    is no data yet: where there is some, room can only be made while Kari runs.
    """

    def __init__(self, path: Path, *, least_free_bytes: int = LEAST_FREE_BYTES) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self._stamp = self.path / "version"
        self._least_free_bytes = least_free_bytes
        self._lock = -1

    def __enter__(self) -> Self:
        try:
            self._check()
            self._lock = self._locked()
            self._furnish()
        except OSError as error:
            self._release()
            raise StartError(
                f"The data folder {self.path} cannot be used: {error.strerror}.",
                f"Make it writable for this user, or {ELSEWHERE}.",
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def _check(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._require_owner()
        self._require_layout()
        if not self._stamp.exists():
            require_space(self.path, self._least_free_bytes)

    @property
    def nearly_full(self) -> str:
        """What there is to say of a disk with little room; empty if it has enough."""
        free = shutil.disk_usage(self.path).free
        if free >= self._least_free_bytes:
            return ""
        return (
            f"only {free // 2**20} MiB are free for {self.path}: free some space, or remove files "
            "with `kari files remove`"
        )

    def _furnish(self) -> None:
        self.path.chmod(0o700)
        if not self._stamp.exists():
            private_files.replace(self._stamp, f"{LAYOUT}\n".encode())
        for name in ("logs", "locks", "secrets"):
            self.subfolder(name)

    def _require_owner(self) -> None:
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            raise StartError(
                f"The data folder {self.path} belongs to user id {owner}, this is {os.geteuid()}.",
                f"Run Kari as that user, or {ELSEWHERE}.",
            )

    def _require_layout(self) -> None:
        if not self._stamp.exists():
            self._require_empty()
        elif (found := self._stamp.read_text(errors="replace").strip()) != LAYOUT:
            raise StartError(
                f"The data folder {self.path} is '{found[:60]}'; this Kari reads '{LAYOUT}'.",
                f"Start the version of Kari that wrote it, or {ELSEWHERE}.",
            )

    def _require_empty(self) -> None:
        if {entry.name for entry in self.path.iterdir()} - BEFORE_THE_STAMP:
            raise StartError(
                f"The folder {self.path} holds files that are not Kari's.",
                f"Empty it, or {ELSEWHERE}.",
            )

    def _locked(self) -> int:
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise StartError(
                f"Kari is running already on {self.path} (process {holder}).",
                f"Stop it with `kill {holder}`, or {ELSEWHERE}.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def subfolder(self, name: str) -> Path:
        """`<data>/<name>`, created with mode 0700."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def lock_of(self, name: str) -> Path:
        """File that the child process `name` locks while it lives."""
        return self.path / "locks" / name

    def secret_file(self, name: str) -> Path:
        """`<data>/secrets/<name>`, mode 0600: 43 characters, letters, digits, `-` and `_`.

        Made once. The characters need no quoting in a URL, in SQL or in a configuration file.
        """
        path = self.path / "secrets" / name
        if not path.exists():
            private_files.replace(path, secrets.token_urlsafe(32).encode())
        return path

    def secret(self, name: str) -> str:
        """What `secret_file` holds."""
        return self.secret_file(name).read_text()


def require_space(path: Path, least_bytes: int) -> None:
    """Raises `StartError` if the file system of `path` has fewer bytes free for us."""
    free = shutil.disk_usage(path).free
    if free < least_bytes:
        raise StartError(
            f"Only {free // 2**20} MiB are free for {path}; Kari starts with "
            f"{least_bytes // 2**20} MiB or more.",
            f"Free some space, or {ELSEWHERE} on a larger disk.",
        )
