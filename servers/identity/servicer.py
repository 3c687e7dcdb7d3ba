"""Identity over gRPC: translates only."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from kari.identity.v1.identity_pb2 import (
    CreateUserRequest,
    CreateUserResponse,
    GetJwksRequest,
    GetJwksResponse,
    IssueTokenRequest,
    IssueTokenResponse,
    ListUsersRequest,
    ListUsersResponse,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    RefreshRequest,
    RefreshResponse,
    SetRolesRequest,
    SetRolesResponse,
    TokenPair,
    User,
    WhoAmIRequest,
    WhoAmIResponse,
)
from kari.identity.v1.identity_pb2_grpc import IdentityServiceServicer
from servers.identity.accounts import Account, Tokens
from servers.identity.addresses import address_of
from servers.identity.administration import Administration, require_operator
from servers.identity.sign_in import SignIn
from servers.runtime.call import current, principal
from servers.runtime.grpc_types import Context
from servers.runtime.mesh_key import OPERATOR

LIMITING = frozenset({"gateway", OPERATOR})
"""Callers whose attempts are not counted by address here: the gateway counts those of the people
behind it, and the operator may do as he likes."""


class Identity(IdentityServiceServicer):
    """Signs people in and says who they are."""

    def __init__(self, sign_in: SignIn, administration: Administration, jwks: str) -> None:
        self._sign_in = sign_in
        self._administration = administration
        self._jwks = jwks

    async def Login(self, request: LoginRequest, context: Context) -> LoginResponse:
        """Exchanges a password for tokens."""
        stranger = None if current().caller in LIMITING else address_of(context.peer())
        found = await self._sign_in.with_password(
            request.tenant, request.name, request.password, stranger
        )
        return LoginResponse(tokens=_pair(found.tokens), user=_user(found.account))

    async def Refresh(self, request: RefreshRequest, context: Context) -> RefreshResponse:
        """Exchanges a refresh token for new tokens."""
        found = await self._sign_in.with_refresh_token(request.refresh_token)
        return RefreshResponse(tokens=_pair(found.tokens), user=_user(found.account))

    async def Logout(self, request: LogoutRequest, context: Context) -> LogoutResponse:
        """Ends a session."""
        await self._sign_in.out(request.refresh_token)
        return LogoutResponse()

    async def GetJwks(self, request: GetJwksRequest, context: Context) -> GetJwksResponse:
        """The public keys."""
        return GetJwksResponse(jwks_json=self._jwks)

    async def WhoAmI(self, request: WhoAmIRequest, context: Context) -> WhoAmIResponse:
        """The caller, as the token says."""
        who = principal()
        await self._sign_in.require_running(who)
        user = User(id=who.user_id, tenant_id=who.tenant_id, roles=sorted(who.roles))
        expires_at = Timestamp(seconds=int(who.expires_at))
        return WhoAmIResponse(user=user, session_id=who.session_id, expires_at=expires_at)

    async def ListUsers(self, request: ListUsersRequest, context: Context) -> ListUsersResponse:
        """A page of the tenant's users."""
        users, token = await self._administration.page(
            principal().tenant_id, request.page_size, request.page_token
        )
        return ListUsersResponse(users=[_user(u) for u in users], next_page_token=token)

    async def CreateUser(self, request: CreateUserRequest, context: Context) -> CreateUserResponse:
        """Makes a user in the caller's tenant."""
        account = await self._administration.add(
            principal().tenant_id,
            request.name,
            request.password,
            request.roles,
            request.request_id,
        )
        return CreateUserResponse(user=_user(account))

    async def SetRoles(self, request: SetRolesRequest, context: Context) -> SetRolesResponse:
        """Replaces a user's roles."""
        account = await self._administration.set_roles(
            principal().tenant_id, request.user_id, request.roles
        )
        return SetRolesResponse(user=_user(account))

    async def IssueToken(self, request: IssueTokenRequest, context: Context) -> IssueTokenResponse:
        """Gives the operator a token of any user."""
        require_operator(current())
        found = await self._sign_in.without_password(request.tenant, request.name)
        return IssueTokenResponse(tokens=_pair(found.tokens), user=_user(found.account))


def _user(account: Account) -> User:
    return User(
        id=account.id,
        tenant_id=account.tenant_id,
        name=account.name,
        roles=account.roles,
        created_at=_timestamp(account.created_at),
    )


def _pair(tokens: Tokens) -> TokenPair:
    return TokenPair(
        access_token=tokens.access,
        expires_at=_timestamp(tokens.expires_at),
        refresh_token=tokens.refresh,
    )


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
