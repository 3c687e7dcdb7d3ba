"""The mesh's own key: how servers prove who they are, and act for users who are not there.

Tokens are JWTs (RFC 7519) with HS256 under a key that only the servers of one mesh hold. A proof
names the calling server. A delegation carries a user, for turns that outlive the user's token; its
`act` claim (RFC 8693) names the server that acts.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jwt

from servers.runtime.call import Principal

OPERATOR = "operator"
_AUDIENCE = "kari-mesh"
_PROOF_SECONDS = 300
_DELEGATION_SECONDS = 3600
_KEPT = 4096


class MeshKey:
    """Makes and checks the mesh's tokens."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        if len(key) < 32:
            raise ValueError("the mesh key has to have 32 bytes or more")
        self._key = key
        self._clock = clock
        self._proofs: dict[str, tuple[str, float]] = {}
        self._claims = lru_cache(maxsize=_KEPT)(self._decode)
        self._delegations: OrderedDict[tuple[str, str, str, frozenset[str]], Principal] = (
            OrderedDict()
        )

    def prove(self, name: str) -> str:
        """A proof that the caller is server `name`; renewed when half of its life is over."""
        token, renew_at = self._proofs.get(name, ("", 0.0))
        now = self._clock()
        if now >= renew_at:
            token = self._sign({"sub": name, "exp": now + _PROOF_SECONDS})
            self._proofs[name] = (token, now + _PROOF_SECONDS / 2)
        return token

    def caller(self, token: str) -> str:
        """Name of the server that a proof names; empty if it proves nothing."""
        claims = self._valid(token)
        return "" if claims is None or "act" in claims else str(claims["sub"])

    def delegate(
        self, name: str, *, user_id: str, tenant_id: str, roles: frozenset[str]
    ) -> Principal:
        """A principal with whose token server `name` acts for a user, for half an hour at least and
        an hour at most. Turns of the same time share it: signing and checking one costs as much as
        four calls."""
        wanted, now = (name, user_id, tenant_id, roles), self._clock()
        known = self._delegations.get(wanted)
        if known is None or known.expires_at - now < _DELEGATION_SECONDS / 2:
            known = self._delegations[wanted] = self._delegate(*wanted, now + _DELEGATION_SECONDS)
            self._delegations.move_to_end(wanted)
            if len(self._delegations) > _KEPT:
                self._delegations.popitem(last=False)
        return known

    def _delegate(
        self, name: str, user_id: str, tenant_id: str, roles: frozenset[str], expires_at: float
    ) -> Principal:
        claims = {
            "sub": user_id,
            "tenant": tenant_id,
            "roles": sorted(roles),
            "exp": expires_at,
            "act": {"sub": name},
        }
        return Principal(user_id, tenant_id, roles, "", expires_at, self._sign(claims))

    def principal(self, token: str) -> Principal | None:
        """The user of a delegation; None if the token is none."""
        claims = self._valid(token)
        if claims is None or "act" not in claims:
            return None
        return Principal(
            user_id=str(claims["sub"]),
            tenant_id=str(claims["tenant"]),
            roles=frozenset(claims["roles"]),
            expires_at=float(claims["exp"]),
            token=token,
        )

    def _sign(self, claims: dict[str, object]) -> str:
        return jwt.encode({**claims, "aud": _AUDIENCE}, self._key, algorithm="HS256")

    def _valid(self, token: str) -> dict[str, Any] | None:
        """Claims of a token of ours whose time is not over. Signatures are checked once a token."""
        if not token:
            return None
        claims = self._claims(token)
        return claims if claims is not None and float(claims["exp"]) > self._clock() else None

    def _decode(self, token: str) -> dict[str, Any] | None:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                audience=_AUDIENCE,
                options={"require": ["exp", "sub"]},
            )
        except jwt.InvalidTokenError:
            return None
        return claims
