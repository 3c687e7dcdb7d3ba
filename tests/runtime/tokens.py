"""Access tokens with any claims, good and bad."""

import time
from collections.abc import Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from servers.runtime.access_tokens import AUDIENCE, ISSUER
from servers.runtime.keys import KeyFiles, identity_key, public_jwk


def access_token(
    keys: KeyFiles,
    *,
    roles: Sequence[str] = ("chat.user",),
    signed_by: Ed25519PrivateKey | None = None,
    **claims: Any,
) -> str:
    """A token as identity would sign it, but for what the test changes."""
    ours = identity_key(keys.identity)
    every = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user_1",
        "tenant": "tenant_1",
        "roles": list(roles),
        "sid": "session_1",
        "exp": int(time.time()) + 900,
        **claims,
    }
    kept = {name: value for name, value in every.items() if value is not None}
    headers = {"kid": public_jwk(ours)["kid"]}
    return jwt.encode(kept, signed_by or ours, algorithm="EdDSA", headers=headers)
