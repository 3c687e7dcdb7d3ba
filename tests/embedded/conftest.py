"""Real stores in folders of their own; nothing is left running, nothing stays on the disk."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.processes import Hold, Holder, launch
from tests.embedded.store_clients import write_everywhere


@pytest.fixture(scope="session")
def system_folder() -> Iterator[Path]:
    """In the place of /var/lib/kari. Below /var/tmp, because `nobody` cannot enter pytest's."""
    path = Path(tempfile.mkdtemp(prefix="kari-test-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def hold(system_folder: Path) -> Iterator[Hold]:
    """Starts `hold_stores.py` on a data folder, by default with this interpreter and user."""
    holders: list[Holder] = []

    def start(data: Path, **options: Any) -> Holder:
        holders.append(launch(data, system_folder, **options))
        return holders[-1]

    yield start
    for holder in holders:
        holder.close()


@pytest.fixture(scope="session")
async def running(
    system_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Holder]:
    """Stores that are up, with a row called "first" in each; for tests that leave them so."""
    holder = launch(tmp_path_factory.mktemp("running") / "data", system_folder)
    holder.await_stores()
    await write_everywhere(holder.urls, "first")
    yield holder
    holder.close()
