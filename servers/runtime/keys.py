"""The keys of a mesh: made once, kept in files of mode 0600, or given by settings."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from servers.runtime import private_files
from servers.runtime.mesh_key import MeshKey
from servers.runtime.settings import Settings

AUDIT_KEY_BYTES = 128
"""A block of SHA-512: the largest key that HMAC takes as it is."""


@dataclass(frozen=True)
class KeyFiles:
    """Where the keys are."""

    identity: Path
    jwks: Path
    mesh: Path
    audit: Path


def key_files(settings: Settings) -> KeyFiles:
    """The files of the settings, or those in the data folder."""
    folder = settings.data / "keys"
    return KeyFiles(
        identity=settings.identity_key_file or folder / "identity.pem",
        jwks=folder / "jwks.json",
        mesh=settings.mesh_key_file or folder / "mesh.key",
        audit=settings.audit_key_file or folder / "audit.key",
    )


def ensure_keys(settings: Settings) -> KeyFiles:
    """Makes the keys that are missing. Two processes that do so at once agree on one."""
    files = key_files(settings)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.jwks.parent.mkdir(mode=0o700, exist_ok=True)
    private_files.create(files.identity, _new_identity_key())
    private_files.create(files.mesh, base64.b64encode(secrets.token_bytes(32)))
    private_files.create(files.audit, base64.b64encode(secrets.token_bytes(AUDIT_KEY_BYTES)))
    private_files.replace(files.jwks, jwks(identity_key(files.identity)).encode())
    return files


def identity_key(file: Path) -> Ed25519PrivateKey:
    """The key that signs access tokens."""
    key = load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{file} is no Ed25519 private key; `openssl genpkey -algorithm ed25519`")
    return key


def mesh_key(file: Path) -> MeshKey:
    """The key of the mesh."""
    return MeshKey(base64.b64decode(file.read_bytes()))


def audit_key(file: Path) -> bytes:
    """The secret with which the audit trail is signed."""
    return base64.b64decode(file.read_bytes())


def public_jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    """The public half as a JSON Web Key (RFC 8037); its id is its thumbprint (RFC 7638)."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    required = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    canonical = json.dumps(required, sort_keys=True, separators=(",", ":")).encode()
    thumbprint = _base64url(hashlib.sha256(canonical).digest())
    return {**required, "kid": thumbprint, "use": "sig", "alg": "EdDSA"}


def jwks(key: Ed25519PrivateKey) -> str:
    """The public half as a JSON Web Key Set (RFC 7517)."""
    return json.dumps({"keys": [public_jwk(key)]})


def _new_identity_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
