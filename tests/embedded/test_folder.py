"""A data folder that cannot be used is said, with a way out."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from embedded.errors import StartError
from embedded.folder import DataFolder
from embedded.stores import EmbeddedStores, Store
from servers.runtime.keys import ensure_keys
from servers.runtime.settings import Settings
from tests.embedded.processes import Holder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


def refusal(data: Path, **options: int) -> StartError:
    """Why the folder is refused."""
    with pytest.raises(StartError) as caught, DataFolder(data, **options):
        pass
    return caught.value


def test_a_folder_is_closed_to_others_and_so_are_its_secrets(data: Path) -> None:
    """Modes 0700 and 0600, whatever the umask is."""
    with DataFolder(data) as folder:
        secret = folder.secret_file("key")
        assert data.stat().st_mode & 0o777 == 0o700
        assert secret.stat().st_mode & 0o777 == 0o600


def test_a_secret_stays_the_same(data: Path) -> None:
    """It is made once and needs no quoting anywhere."""
    with DataFolder(data) as folder:
        first = folder.secret("key")
    with DataFolder(data) as folder:
        assert folder.secret("key") == first
        assert folder.secret("other") != first
    assert len(first) == 43
    assert first.replace("-", "").replace("_", "").isalnum()


def test_a_folder_in_use_names_the_process(data: Path) -> None:
    """The second `kari up` says which process to stop."""
    with DataFolder(data):
        error = refusal(data)
    assert f"process {os.getpid()}" in error.message
    assert "KARI_DATA" in error.way_out
    with DataFolder(data):
        pass


def test_a_folder_of_another_process_names_that_process(running: Holder) -> None:
    """As above, across processes."""
    assert f"process {running.process.pid}" in refusal(running.data).message


def test_a_folder_of_another_layout_is_refused(data: Path) -> None:
    """What was found, what is expected, and the way out."""
    with DataFolder(data):
        (data / "version").write_text("kari data, layout 7\n")
    error = refusal(data)
    assert "layout 7" in error.message
    assert "layout 1" in error.message
    assert "KARI_DATA" in error.way_out


def test_a_folder_with_files_of_somebody_else_is_refused_untouched(tmp_path: Path) -> None:
    """KARI_DATA=$HOME by mistake changes nothing there."""
    (tmp_path / "thesis.txt").write_text("precious")
    tmp_path.chmod(0o755)
    assert "not Kari's" in refusal(tmp_path).message
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_models_file_may_be_there_before_the_first_start(data: Path) -> None:
    """docs/models.md has people put it into the data folder."""
    data.mkdir()
    (data / "models.toml").write_text("[routing]\n")
    with DataFolder(data):
        assert (data / "models.toml").read_text() == "[routing]\n"


def test_parts_may_be_served_from_a_folder_before_the_first_start(data: Path) -> None:
    """`kari serve` makes keys there, `kari up` goes on with them."""
    mesh_key = ensure_keys(Settings(data=data)).mesh.read_bytes()
    with DataFolder(data):
        assert ensure_keys(Settings(data=data)).mesh.read_bytes() == mesh_key


def test_a_file_in_the_place_of_the_folder_is_refused(data: Path) -> None:
    """The system's own words for it are passed on."""
    data.write_text("")
    assert "File exists" in refusal(data).message


@as_root
def test_a_folder_of_another_user_is_refused(data: Path) -> None:
    """Root would otherwise leave files there that its owner cannot open."""
    data.mkdir()
    os.chown(data, 1, 1)
    assert "belongs to user id 1" in refusal(data).message


def test_too_little_space_is_refused(data: Path) -> None:
    """The threshold is given, the disk is real."""
    error = refusal(data, least_free_bytes=2**60)
    assert "MiB are free" in error.message
    assert "space" in error.way_out


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {made.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_small_disk_is_refused(small_disk: Path) -> None:
    """Before anything is written."""
    data = small_disk / "data"
    assert "MiB are free" in refusal(data).message
    assert list(data.iterdir()) == []


def test_where_data_is_a_full_disk_is_told_and_not_refused(small_disk: Path) -> None:
    """Room can be made through Kari only while it runs."""
    with DataFolder(small_disk / "data", least_free_bytes=0) as folder:
        assert folder.nearly_full == ""
    with suppress(OSError):
        (small_disk / "ballast").write_bytes(bytes(16 * 2**20))
    with DataFolder(small_disk / "data") as folder:
        assert folder.nearly_full.startswith("only 0 MiB are free")
        assert "kari files remove" in folder.nearly_full


async def test_a_disk_that_fills_up_is_a_clear_message_and_no_half_cluster(
    small_disk: Path, system_folder: Path
) -> None:
    """The log's last line says what was missing."""
    with DataFolder(small_disk / "data", least_free_bytes=0) as folder:
        stores = EmbeddedStores(folder, {Store.POSTGRES}, print, system_folder=system_folder)
        with pytest.raises(StartError, match="postgres did not start") as caught:
            await stores.__aenter__()
        assert "No space left on device" in caught.value.detail
        assert not (folder.path / "postgres" / "cluster").exists()


async def test_a_cluster_of_another_postgresql_is_refused(data: Path, system_folder: Path) -> None:
    """What was found, what is expected, and the way out."""
    cluster = data / "postgres" / "cluster"
    with DataFolder(data) as folder:
        cluster.mkdir(parents=True)
        (cluster / "PG_VERSION").write_text("15\n")
        stores = EmbeddedStores(folder, {Store.POSTGRES}, print, system_folder=system_folder)
        with pytest.raises(StartError, match="PostgreSQL 15; this Kari brings 18") as caught:
            await stores.__aenter__()
        assert "KARI_DATA" in caught.value.way_out
