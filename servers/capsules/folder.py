"""A capsule's folder, read once: what was read is what is checked, signed and run.

Names that begin with a dot and `__pycache__` are passed over: neither signed nor loaded. Symbolic
links and anything else that is no plain file make the folder a broken one.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from servers.capsules.manifest import BrokenCapsule

MOST_FILES = 200
LARGEST_FOLDER = 4_000_000
DEEPEST = 5

Stamp = tuple[object, ...]
"""Changes whenever the folder does; comparable only with another one."""


def read_folder(folder: Path) -> dict[str, bytes]:
    """Its files by their paths, with slashes. BrokenCapsule if one is none or there are too many,
    OSError if one cannot be read."""
    files, left = dict[str, bytes](), LARGEST_FOLDER
    for path, found in sorted(_entries(folder)):
        _refuse_unplain(path, found)
        content = read_plain(folder / path, left)
        left -= len(content)
        if left < 0 or len(files) == MOST_FILES:
            raise BrokenCapsule(
                f"{path}: the folder has more than {MOST_FILES} files or {LARGEST_FOLDER} bytes"
            )
        files[path] = content
    return files


def read_plain(place: Path, most: int) -> bytes:
    """A file, at most one byte more than `most`. It may have become another one since it was looked
    at: a link is not followed, a pipe is not waited for. BrokenCapsule if it is no plain file."""
    try:
        number = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BrokenCapsule(f"{place.name}: cannot be read: {error.strerror}") from error
    with open(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise BrokenCapsule(f"{place.name}: is no plain file")
        return file.read(most + 1)


def stamp_of(folder: Path) -> Stamp:
    """What a look at the folder tells of its state, without reading the files."""
    try:
        entries = sorted(_entries(folder))
        return tuple(
            (path, s.st_mode, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
            for path, s in entries
            if not stat.S_ISDIR(s.st_mode)
        )
    except (OSError, BrokenCapsule) as error:
        return (str(error),)


def write_folder(files: Mapping[str, bytes], folder: Path) -> None:
    """Writes files that were read to another folder, readable for everybody."""
    folder.mkdir(mode=0o755)
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(0o444)
    for each in (folder, *(found for found in folder.rglob("*") if found.is_dir())):
        each.chmod(0o755)


def _entries(folder: Path, below: str = "", depth: int = 1) -> Iterator[tuple[str, os.stat_result]]:
    if depth > DEEPEST:
        raise BrokenCapsule(f"{below}: folders in folders, more than {DEEPEST} deep")
    seen = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__pycache__":
                continue
            seen += 1
            if seen > MOST_FILES:
                raise BrokenCapsule(f"{below or folder.name}: has more than {MOST_FILES} entries")
            found = entry.stat(follow_symlinks=False)
            path = f"{below}{entry.name}"
            if stat.S_ISDIR(found.st_mode):
                yield from _entries(Path(entry.path), f"{path}/", depth + 1)
            else:
                yield path, found


def _refuse_unplain(path: str, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise BrokenCapsule(f"{path}: is a symbolic link; put the file itself there")
    if not stat.S_ISREG(found.st_mode):
        raise BrokenCapsule(f"{path}: is no plain file")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise BrokenCapsule(f"{path!r}: the name is not UTF-8") from None
