"""An identity server that knows two people and keeps its sessions in memory."""

# ruff: noqa: N802  # rpc methods are named as the contract names them

import time

import jwt
from google.protobuf.timestamp_pb2 import Timestamp

from kari.errors.v1.errors_pb2 import Reason
from kari.identity.v1.identity_pb2 import (
    GetJwksRequest,
    GetJwksResponse,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    RefreshRequest,
    RefreshResponse,
    TokenPair,
    User,
)
from kari.identity.v1.identity_pb2_grpc import IdentityServiceServicer
from servers.runtime.access_tokens import AUDIENCE, ISSUER
from servers.runtime.errors import Unauthenticated
from servers.runtime.grpc_types import Context
from servers.runtime.ids import new_id
from servers.runtime.keys import KeyFiles, identity_key, public_jwk

PASSWORD = "correct horse"  # of people who do not exist
TENANT = "ten_demo"
ADA = User(id="user_" + "a" * 32, tenant_id=TENANT, name="ada", roles=["chat.user"])
BOB = User(id="user_" + "b" * 32, tenant_id=TENANT, name="bob", roles=["chat.user"])
PEOPLE = {user.name: user for user in (ADA, BOB)}


class ScriptedIdentity(IdentityServiceServicer):
    """Signs real tokens with the key of the mesh."""

    def __init__(self, keys: KeyFiles) -> None:
        self._keys = keys
        self._key = identity_key(keys.identity)
        self._kid = public_jwk(self._key)["kid"]
        self._refresh: dict[str, User] = {}

    def token(self, user: User = ADA, *, seconds: float = 900, session: str = "ses_1") -> str:
        """An access token that ends in so many seconds."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user.id,
            "tenant": user.tenant_id,
            "roles": list(user.roles),
            "sid": session,
            "exp": time.time() + seconds,
            "jti": new_id("jti"),
        }
        return jwt.encode(claims, self._key, "EdDSA", headers={"kid": self._kid})

    async def Login(self, request: LoginRequest, context: Context) -> LoginResponse:
        """Ada and Bob share their password."""
        user = PEOPLE.get(request.name)
        if user is None or request.password != PASSWORD:
            raise Unauthenticated(
                Reason.REASON_CREDENTIALS_WRONG, "the name or the password is wrong"
            )
        return LoginResponse(tokens=self._pair(user), user=user)

    async def Refresh(self, request: RefreshRequest, context: Context) -> RefreshResponse:
        """A refresh token works once."""
        user = self._refresh.pop(request.refresh_token, None)
        if user is None:
            raise Unauthenticated(Reason.REASON_REFRESH_REUSED, "sign in again")
        return RefreshResponse(tokens=self._pair(user), user=user)

    async def Logout(self, request: LogoutRequest, context: Context) -> LogoutResponse:
        """Forgets the token."""
        self._refresh.pop(request.refresh_token, None)
        return LogoutResponse()

    async def GetJwks(self, request: GetJwksRequest, context: Context) -> GetJwksResponse:
        """The public key."""
        return GetJwksResponse(jwks_json=self._keys.jwks.read_text())

    def _pair(self, user: User) -> TokenPair:
        refresh_token, expires_at = new_id("ref"), Timestamp()
        self._refresh[refresh_token] = user
        expires_at.FromSeconds(int(time.time()) + 900)
        return TokenPair(
            access_token=self.token(user, session=new_id("ses")),
            expires_at=expires_at,
            refresh_token=refresh_token,
        )
