"""Access tokens as identity makes them; `servers.runtime.access_tokens` verifies them. Pure."""

from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from servers.identity.accounts import Account
from servers.runtime.access_tokens import AUDIENCE, ISSUER
from servers.runtime.keys import jwks, public_jwk


class Signer:
    """Signs access tokens (EdDSA JWT, RFC 8037) that live `seconds`. `jwks` has the public keys to
    verify them with (JSON, RFC 7517)."""

    def __init__(self, key: Ed25519PrivateKey, seconds: int) -> None:
        self._key = key
        self._life = timedelta(seconds=seconds)
        self._key_id = public_jwk(key)["kid"]
        self.jwks = jwks(key)

    def sign(self, account: Account, session_id: str, now: datetime) -> tuple[str, datetime]:
        """A token of a session, and when it ends. JWT times are whole seconds."""
        issued_at = now.replace(microsecond=0)
        expires_at = issued_at + self._life
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": account.id,
            "tenant": account.tenant_id,
            "name": account.name,
            "roles": list(account.roles),
            "sid": session_id,
            "iat": issued_at,
            "exp": expires_at,
        }
        headers = {"kid": self._key_id}
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers=headers), expires_at
