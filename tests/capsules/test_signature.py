"""A signature is over all of a folder: nothing in it can be changed, added, removed or moved."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from servers.capsules import signature
from servers.capsules.folder import MOST_FILES, read_folder, stamp_of, write_folder
from servers.capsules.manifest import BrokenCapsule
from servers.capsules.signature import BadKeys, signed, signer_of, trusted_keys
from tests.capsules.workshop import handler, manifest, write

KEY = Ed25519PrivateKey.generate()
KEYS = {"alice": KEY.public_key()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A signed capsule."""
    made = write(
        tmp_path / "made",
        manifest=manifest("made"),
        handler=handler("return {}"),
        prompts__a_j2="A",
        prompts__b_j2="B",
    )
    (made / "signature").write_bytes(signed(read_folder(made), KEY, "alice"))
    return made


def signer(folder: Path, *, required: bool = True) -> str:
    """Who signed a folder."""
    return signer_of(read_folder(folder), KEYS, required=required)


def test_a_folder_as_it_was_signed(folder: Path) -> None:
    """What is never loaded does not count: caches, and names that begin with a dot."""
    assert signer(folder) == "alice"
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/handler.pyc").write_bytes(b"x")
    (folder / ".git").mkdir()
    assert signer(folder) == "alice"
    assert set(read_folder(folder)) == {
        "capsule.toml",
        "handler.py",
        "prompts/a.j2",
        "prompts/b.j2",
        "signature",
    }


def _swap(folder: Path) -> None:
    (folder / "prompts/a.j2").rename(folder / "x")
    (folder / "prompts/b.j2").rename(folder / "prompts/a.j2")
    (folder / "x").rename(folder / "prompts/b.j2")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "changed": lambda folder: (folder / "handler.py").write_text("x"),
    "one byte more": lambda folder: (folder / "prompts/a.j2").write_text("A\n"),
    "extra": lambda folder: (folder / "more.py").write_text(""),
    "removed": lambda folder: (folder / "prompts/b.j2").unlink(),
    "moved": lambda folder: (folder / "prompts/b.j2").rename(folder / "b.j2"),
    "swapped": _swap,
    "by another key": lambda folder: (folder / "signature").write_bytes(
        signed(read_folder(folder), Ed25519PrivateKey.generate(), "alice")
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_folder_that_is_not_as_it_was_signed(
    folder: Path, damage: Callable[[Path], object]
) -> None:
    """It is refused, whether signatures are asked for or not."""
    damage(folder)
    for required in (True, False):
        with pytest.raises(BrokenCapsule, match="is not that of 'alice' over these files"):
            signer(folder, required=required)


def test_no_signature_and_unknown_keys(folder: Path) -> None:
    """They count where signatures are asked for."""
    (folder / "signature").write_bytes(signed(read_folder(folder), KEY, "bob"))
    assert signer(folder, required=False) == ""
    with pytest.raises(BrokenCapsule, match="the key 'bob' is not in KARI_CAPSULE_KEYS"):
        signer(folder)
    (folder / "signature").unlink()
    assert signer(folder, required=False) == ""
    with pytest.raises(BrokenCapsule, match="there is no signature"):
        signer(folder)


@pytest.mark.parametrize(
    "content", [b"", b"key = 1", b'key = "alice"\nsignature = "%%"', b"\xff", b"[[["]
)
def test_a_signature_that_is_none(folder: Path, content: bytes) -> None:
    """It is told."""
    (folder / "signature").write_bytes(content)
    with pytest.raises(BrokenCapsule, match="signature: "):
        signer(folder)


def test_files_cannot_pass_for_each_other() -> None:
    """Sizes are in the digest: what belongs to a name and what to the content is certain."""
    one, two = signature.digest_of({"a": b"bc"}), signature.digest_of({"ab": b"c"})
    assert one != two
    assert signature.digest_of({"a": b"", "b": b""}) == signature.digest_of({"b": b"", "a": b""})


def test_trusted_keys_are_read() -> None:
    """A wrong one is named."""
    public = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
    assert set(trusted_keys(f'alice = "{public}"\n')) == {"alice"}
    with pytest.raises(BadKeys, match="bob: is not an Ed25519 public key"):
        trusted_keys(f'alice = "{public}"\nbob = "AAAA"')
    with pytest.raises(BadKeys, match="is not TOML"):
        trusted_keys("alice")


def test_links_and_pipes_are_no_files(folder: Path, tmp_path: Path) -> None:
    """Wherever they lead; a pipe is not waited for."""
    (tmp_path / "secret").write_text("x")
    (folder / "prompts/c.j2").symlink_to(tmp_path / "secret")
    with pytest.raises(BrokenCapsule, match=r"prompts/c.j2: is a symbolic link"):
        read_folder(folder)
    (folder / "prompts/c.j2").unlink()
    (folder / "more").symlink_to(tmp_path)
    with pytest.raises(BrokenCapsule, match="more: is a symbolic link"):
        read_folder(folder)
    (folder / "more").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(BrokenCapsule, match="pipe: is no plain file"):
        read_folder(folder)


def test_a_folder_has_its_bounds(folder: Path) -> None:
    """Of files, bytes and depth."""
    (folder / "large").write_bytes(b"x" * 4_000_001)
    with pytest.raises(BrokenCapsule, match="large: the folder has more than"):
        read_folder(folder)
    (folder / "large").unlink()
    (folder / "a/b/c/d/e/f").mkdir(parents=True)
    with pytest.raises(BrokenCapsule, match="more than 5 deep"):
        read_folder(folder)
    (folder / "a").rename(folder / ".a")
    for number in range(MOST_FILES + 1):
        (folder / f"prompts/{number}").touch()
    with pytest.raises(BrokenCapsule, match="has more than 200"):
        read_folder(folder)


def test_what_was_read_is_what_is_written(folder: Path, tmp_path: Path) -> None:
    """Byte for byte; and a look tells that something changed."""
    files, before = read_folder(folder), stamp_of(folder)
    write_folder(files, tmp_path / "copy")
    assert read_folder(tmp_path / "copy") == files
    assert stamp_of(folder) == before
    (folder / "handler.py").write_text(handler("return {}"))
    assert stamp_of(folder) != before
