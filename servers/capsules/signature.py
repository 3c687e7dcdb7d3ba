"""Who vouches for a capsule: an Ed25519 signature over all of its files. Pure.

The file `signature` in the folder is TOML: `key`, a name, and `signature`, base64. What is signed
is `digest_of` the other files, so that none can be changed, added, removed or moved.
"""

import base64
import binascii
import hashlib
import tomllib
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from servers.capsules.manifest import BrokenCapsule

FILE = "signature"
DOMAIN = b"kari capsule 1\0"

TrustedKeys = Mapping[str, Ed25519PublicKey]


class BadKeys(Exception):
    """A file of trusted keys is none; the message says where."""


def digest_of(files: Mapping[str, bytes]) -> bytes:
    """SHA-512 over the sorted paths, sizes and contents of all files but the signature's."""
    digest = hashlib.sha512(DOMAIN)
    for path in sorted(files, key=lambda path: path.encode()):
        if path != FILE:
            for part in (path.encode(), files[path]):
                digest.update(len(part).to_bytes(8, "big"))
                digest.update(part)
    return digest.digest()


def signed(files: Mapping[str, bytes], key: Ed25519PrivateKey, name: str) -> bytes:
    """The content of the signature's file."""
    signature = base64.b64encode(key.sign(digest_of(files))).decode()
    return f'key = "{name}"\nsignature = "{signature}"\n'.encode()


def signer_of(files: Mapping[str, bytes], keys: TrustedKeys, *, required: bool) -> str:
    """Name of the key that signed these files; empty if nobody did whom one knows and nobody has
    to. BrokenCapsule if the signature of a known key is wrong, or one is required and missing."""
    if FILE not in files:
        if required:
            raise BrokenCapsule(
                "there is no signature and KARI_CAPSULES_SIGNED asks for one: `kari capsule sign`"
            )
        return ""
    name, signature = _parsed(files[FILE])
    if name not in keys:
        if required:
            raise BrokenCapsule(f"{FILE}: the key {name!r} is not in KARI_CAPSULE_KEYS")
        return ""
    try:
        keys[name].verify(signature, digest_of(files))
    except InvalidSignature:
        raise BrokenCapsule(
            f"{FILE}: is not that of {name!r} over these files: one was changed, added, removed "
            "or moved since, or the key is another one"
        ) from None
    return name


def trusted_keys(text: str) -> dict[str, Ed25519PublicKey]:
    """Public keys by name from TOML, `name = "base64 of 32 bytes"`. BadKeys names a wrong one."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadKeys(f"is not TOML: {error}") from None
    return {name: _public(name, value) for name, value in found.items()}


def _public(name: str, value: object) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(str(value), validate=True))
    except (binascii.Error, ValueError):
        raise BadKeys(f"{name}: is not an Ed25519 public key, 32 bytes in base64") from None


def _parsed(content: bytes) -> tuple[str, bytes]:
    try:
        found = tomllib.loads(content.decode())
        return str(found["key"]), base64.b64decode(str(found["signature"]), validate=True)
    except (ValueError, KeyError, RecursionError):
        raise BrokenCapsule(
            f"{FILE}: has no `key` and `signature`; `kari capsule sign` writes it anew"
        ) from None
