"""Files that are for their owner, whole or not there."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from servers.runtime.private_files import alone, create, replace


def test_what_is_there_is_not_created_again(tmp_path: Path) -> None:
    file = tmp_path / "key"
    create(file, b"one")
    create(file, b"two")
    assert file.read_bytes() == b"one"
    replace(file, b"three")
    assert file.read_bytes() == b"three"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_of_many_at_once_one_creates_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: create(file, bytes([n]) * 100), range(64)))
    assert len(set(file.read_bytes())) == 1
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "folder"
    file.mkdir()
    with pytest.raises(OSError, match="directory"):
        replace(file, b"x")
    assert list(tmp_path.iterdir()) == [file]


def test_one_at_a_time_is_alone_with_a_file(tmp_path: Path) -> None:
    """Also where it is replaced meanwhile."""
    file = tmp_path / "end"
    with alone(file) as first, alone(file) as second, alone(tmp_path / "other") as other:
        replace(file, b"x")
        with alone(file) as third:
            assert (first, second, third, other) == (True, False, False, True)
    with alone(file) as after:
        assert after
