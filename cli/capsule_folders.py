"""`kari capsule new`, `validate`, `keygen` and `sign`: folders of capsules, without a mesh."""

import asyncio
import base64
import os
import re
import sys
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from servers.capsules import signature
from servers.capsules.folder import read_folder
from servers.capsules.manifest import BrokenCapsule
from servers.capsules.outside import Outside
from servers.capsules.places import keys_of
from servers.capsules.version import Version, read_version
from servers.runtime.settings import read_settings

TEMPLATE = Path(__file__).with_name("capsule_template")
NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")


def write_new(name: str, place: Path) -> int:
    """Writes the template under a name; gives the exit code."""
    folder = place / name
    if not NAME.fullmatch(name):
        return _told("a name is small letters, digits and _, such as word_counter")
    if folder.exists():
        return _told(f"there is {folder} already")
    for source in sorted(TEMPLATE.rglob("*")):
        if source.is_file() and "__pycache__" not in source.parts:
            target = folder / source.relative_to(TEMPLATE)
            target = target.with_name(target.name.removesuffix(".txt").replace("NAME", name))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source.read_text().replace("NAME", name))
    sys.stdout.write(
        f"{folder} has a capsule that greets; change its handler.py, then:\n"
        f"  python -m pytest {folder}\n"
        f"  kari capsule validate {folder}\n"
        f"  KARI_CAPSULES={place.resolve()} kari up\n"
        f"""  kari capsule run capsule.{name} --input '{{"name": "Ada"}}'\n"""
    )
    return 0


def validate(folder: Path) -> int:
    """Says what is wrong, line by line; gives the exit code."""
    try:
        version = read_version(folder, keys_of(read_settings()), signed=False)
    except BrokenCapsule as error:
        return _told(str(error))
    if wrong := asyncio.run(_tried(version)):
        return _told(wrong)
    manifest = version.manifest
    signed = f", signed by {version.signed_by}" if version.signed_by else ""
    sys.stdout.write(f"{manifest.id} {manifest.version} is in order{signed}\n")
    return 0


def keygen(name: str, file: Path) -> int:
    """Makes a pair of keys; gives the exit code."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        return _told(f"{file} cannot be written: {error.strerror}")
    with open(number, "wb") as opened:
        opened.write(text)
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    sys.stdout.write(f'{name} = "{public}"\n')
    sys.stderr.write("this line belongs in the file that KARI_CAPSULE_KEYS names\n")
    return 0


def sign(folder: Path, file: Path, name: str) -> int:
    """Writes the signature of a capsule that is in order; gives the exit code."""
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        return _told(f"{file} is no private key (PEM): {error}")
    if not isinstance(key, Ed25519PrivateKey):
        return _told(f"{file} is no Ed25519 key; `kari capsule keygen` makes one")
    try:
        # Of a capsule that was changed since, the old signature is wrong.
        (folder / signature.FILE).unlink(missing_ok=True)
        version = read_version(folder, {}, signed=False)
        (folder / signature.FILE).write_bytes(signature.signed(read_folder(folder), key, name))
    except BrokenCapsule as error:
        return _told(str(error))
    sys.stdout.write(f"{version.manifest.id} {version.manifest.version} is signed by {name}\n")
    return 0


async def _tried(version: Version) -> str:
    # What the handler prints is for who asks; what is in order is all that stdout has.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    outside = Outside()
    try:
        return await outside.handler("", version).check()
    finally:
        await outside.close()


def _told(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 1
