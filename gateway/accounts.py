"""Signing in, staying signed in, signing out: identity over HTTP, with cookies for browsers.

A browser gets its refresh token as a cookie that scripts cannot read and that only these paths
see; an API client gets it in the body. Both get the access token in the body and as a cookie.
"""

import time
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from gateway.credentials import ACCESS_COOKIE, REFRESH_COOKIE, SESSION_COOKIE, require_origin
from gateway.limits import Limits
from gateway.upgrading import Sockets
from kari.errors.v1.errors_pb2 import Reason
from kari.identity.v1.identity_pb2 import (
    LoginRequest,
    LogoutRequest,
    RefreshRequest,
    TokenPair,
)
from servers.runtime.errors import InvalidRequest, KariError, Unauthenticated, from_rpc
from servers.runtime.interceptors.validation import validate
from servers.runtime.settings import Settings

if TYPE_CHECKING:
    from kari.identity.v1.identity_pb2_grpc import IdentityServiceAsyncStub

PATH = "/v1/auth"
LARGEST_BODY = 65_536
M = TypeVar("M", bound=Message)


class Accounts:
    """The three requests under `/v1/auth`."""

    def __init__(
        self,
        identity: "IdentityServiceAsyncStub",
        limits: Limits,
        settings: Settings,
        sockets: Sockets,
    ) -> None:
        self._sockets = sockets
        self._identity = identity
        self._limits = limits
        self._origins = settings.allowed_origins
        self._refresh_seconds = settings.refresh_token_days * 86_400

    async def login(self, request: Request) -> Response:
        """`POST /v1/auth/login`: LoginRequest to LoginResponse."""
        self._require_own_page(request)
        asked = await _read(request, LoginRequest())
        validate(asked)
        address = request.client.host if request.client else ""
        await self._limits.login(asked.tenant, asked.name, address)
        response = await _call(self._identity.Login(asked))
        return self._signed_in(request, response, hide_refresh=_is_browser(request))

    async def refresh(self, request: Request) -> Response:
        """`POST /v1/auth/refresh`: RefreshRequest, or the cookie, to RefreshResponse."""
        asked, from_cookie = await self._refresh_token(request, RefreshRequest())
        if not asked.refresh_token:
            raise Unauthenticated(Reason.REASON_TOKEN_MISSING, "there is no session; sign in")
        validate(asked)
        response = await _call(self._identity.Refresh(asked))
        return self._signed_in(request, response, hide_refresh=from_cookie)

    async def logout(self, request: Request) -> Response:
        """`POST /v1/auth/logout`: LogoutRequest, or the cookie; nothing to sign out of is fine."""
        asked, _ = await self._refresh_token(request, LogoutRequest())
        if asked.refresh_token:
            validate(asked)
            await _call(self._identity.Logout(asked))
        await self._sockets.end_session(request.cookies.get(ACCESS_COOKIE, ""))
        response = Response(status_code=204, headers={"cache-control": "no-store"})
        self._set_cookies(request, response, TokenPair())
        return response

    def _require_own_page(self, request: Request) -> None:
        """Nobody's page may sign a browser in here: it would work under a stranger's name."""
        if _is_browser(request):
            require_origin(request.headers, self._origins)

    async def _refresh_token(self, request: Request, empty: M) -> tuple[M, bool]:
        """The request with its token, and whether that came from the cookie."""
        asked: Any = await _read(request, empty)
        cookie = request.cookies.get(REFRESH_COOKIE, "")
        if asked.refresh_token or not cookie:
            return asked, False
        require_origin(request.headers, self._origins)
        asked.refresh_token = cookie
        return asked, True

    def _signed_in(self, request: Request, response: Any, *, hide_refresh: bool) -> Response:
        tokens = TokenPair()
        tokens.CopyFrom(response.tokens)
        if hide_refresh:
            response.tokens.ClearField("refresh_token")
        body = json_format.MessageToJson(response, indent=None)
        answer = Response(body, 200, {"cache-control": "no-store"}, "application/json")
        self._set_cookies(request, answer, tokens)
        return answer

    def _set_cookies(self, request: Request, response: Response, tokens: TokenPair) -> None:
        """Keeps the tokens in the browser; empty ones are forgotten."""
        life = max(0, int(tokens.expires_at.seconds - time.time()))
        kept = (
            (ACCESS_COOKIE, tokens.access_token, "/v1", life),
            (REFRESH_COOKIE, tokens.refresh_token, PATH, self._refresh_seconds),
            (SESSION_COOKIE, "1" if tokens.refresh_token else "", "/", self._refresh_seconds),
        )
        for name, value, path, seconds in kept:
            response.set_cookie(
                name,
                value,
                max_age=seconds if value else 0,
                path=path,
                secure=request.url.scheme == "https",
                httponly=name != SESSION_COOKIE,
                samesite="strict",
            )


async def _read(request: Request, message: M) -> M:
    """The JSON body as a message; an empty body is an empty message. The type has to be JSON,
    which no form of another site can send."""
    body = await _body(request)
    if not body:
        return message
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InvalidRequest(Reason.REASON_FRAME_INVALID, "send `content-type: application/json`")
    try:
        return json_format.Parse(body, message)
    except (json_format.ParseError, ValueError, RecursionError):
        name = message.DESCRIPTOR.full_name
        raise InvalidRequest(Reason.REASON_FRAME_INVALID, f"the body is no {name}") from None


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise InvalidRequest(
                Reason.REASON_TOO_LARGE,
                f"a body has at most {LARGEST_BODY} bytes",
                limit=LARGEST_BODY,
            )
    return body


def _is_browser(request: Request) -> bool:
    return "origin" in request.headers or "sec-fetch-site" in request.headers


async def _call(call: Any) -> Any:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        found: KariError = from_rpc(error)
        raise found from error
