"""Everything works without root: run as root, these tests start a process of another user."""

import os
import pwd
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.processes import Hold, owners
from tests.embedded.store_clients import names_everywhere, write_everywhere

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="as an ordinary user every other test shows this"
)
NAMELESS = 65533


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that other users can enter, unlike pytest's."""
    path = Path(tempfile.mkdtemp(prefix="kari-home-", dir="/var/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def python() -> str:
    """An interpreter of this version that other users can run."""
    for found in (
        sys.executable,
        shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin"),
    ):
        if found and _open_to_all(Path(found).resolve()):
            return found
    pytest.skip("no interpreter of this version outside of root's home")


def _open_to_all(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents))


async def test_stores_run_as_an_ordinary_user(home: Path, python: str, hold: Hold) -> None:
    """Nothing outside the data folder is touched, and no process is root's."""
    user = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, 65534))
    os.chown(home, user.pw_uid, user.pw_gid)
    holder = hold(home / "data", python=python, user=user.pw_uid, group=user.pw_gid, cwd=home)
    holder.await_stores()
    await write_everywhere(holder.urls, "row")
    assert owners(holder.family) == {user.pw_uid}
    assert (await names_everywhere(holder.urls))["milvus"] == {"row"}
    assert holder.end(signal.SIGTERM) == 0
    assert holder.survivors() == []


async def test_a_user_without_a_name_is_a_clear_message(
    home: Path, python: str, hold: Hold
) -> None:
    """PostgreSQL's initdb asks for the name of who runs it."""
    os.chown(home, NAMELESS, NAMELESS)
    holder = hold(home / "data", python=python, user=NAMELESS, group=NAMELESS, cwd=home)
    assert holder.process.wait() == 1
    assert f"User id {NAMELESS} has no name" in (words := holder.words())
    assert "KARI_POSTGRES_URL" in words
    assert "Traceback" not in words
