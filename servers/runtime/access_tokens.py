"""Verifying users' access tokens: EdDSA JWTs that identity signs, with keys by id (RFC 7517).

The key set is read from the file that identity keeps, again when a token names an unknown key; so
a server needs no call to verify, and keys can be rotated under it.
"""

import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from jwt import PyJWK

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.errors import Unauthenticated

ISSUER = "kari"
AUDIENCE = "kari-chat"
_KEPT = 4096
_REREAD_SECONDS = 1.0


class AccessTokens:
    """Verifies access tokens; a verified one is remembered until it ends."""

    def __init__(
        self,
        jwks_file: Path,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = jwks_file
        self._clock = clock
        self._monotonic = monotonic
        self._keys: dict[str, PyJWK] = {}
        self._read_at = -math.inf
        self._verified: OrderedDict[str, Principal] = OrderedDict()

    def verify(self, token: str) -> Principal:
        """The principal of a token; Unauthenticated if it is forged, expired or no token."""
        known = self._verified.get(token)
        if known is None:
            known = self._check(token)
            self._remember(token, known)
        if known.expires_at <= self._clock():
            raise _expired()
        return known

    def _check(self, token: str) -> Principal:
        try:
            key = self._key(str(jwt.get_unverified_header(token).get("kid", "")))
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=ISSUER,
                # `iat` is not checked: clocks of two machines differ.
                options={
                    "require": ["exp", "sub", "tenant", "roles", "sid"],
                    "verify_iat": False,
                },
            )
        except jwt.ExpiredSignatureError:
            raise _expired() from None
        except jwt.PyJWTError:
            raise Unauthenticated(
                Reason.REASON_TOKEN_INVALID, "the access token is not valid; sign in again"
            ) from None
        return _principal(claims, token)

    def _key(self, key_id: str) -> PyJWK:
        now = self._monotonic()
        if key_id not in self._keys and now - self._read_at > _REREAD_SECONDS:
            self._read_at = now
            self._keys = _read(self._file)
        if key_id not in self._keys:
            raise jwt.InvalidTokenError("unknown key id")
        return self._keys[key_id]

    def _remember(self, token: str, principal: Principal) -> None:
        self._verified[token] = principal
        if len(self._verified) > _KEPT:
            self._verified.popitem(last=False)


def _read(file: Path) -> dict[str, PyJWK]:
    keys = json.loads(file.read_text())["keys"]
    return {key["kid"]: PyJWK(key, algorithm="EdDSA") for key in keys}


def _principal(claims: dict[str, Any], token: str) -> Principal:
    return Principal(
        user_id=claims["sub"],
        tenant_id=claims["tenant"],
        roles=frozenset(claims["roles"]),
        session_id=claims["sid"],
        expires_at=float(claims["exp"]),
        token=token,
        name=str(claims.get("name", "")),
    )


def _expired() -> Unauthenticated:
    return Unauthenticated(
        Reason.REASON_TOKEN_EXPIRED,
        "the access token has expired; refresh it",
        error_code="TOKEN_EXPIRED",
    )
