"""Signing in, staying in, signing out."""

import time
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter

from kari.errors.v1.errors_pb2 import Reason
from servers.identity.access import Signer
from servers.identity.accounts import Account, SignedIn, Tokens
from servers.identity.addresses import AddressCounts
from servers.identity.clock import Clock, utc_now
from servers.identity.passwords import Passwords
from servers.identity.rotation import Verdict, new_refresh_token, tenant_of
from servers.identity.store import Sessions, Users
from servers.identity.store_lockout import Lockout
from servers.runtime.call import Principal
from servers.runtime.ended_sessions import EndedSessions
from servers.runtime.errors import NotFound, RateLimited, Unauthenticated
from servers.runtime.ids import new_id
from servers.runtime.labelled import labelled
from servers.runtime.settings import Settings

DEFAULT_TENANT = "demo"
DEFAULT_USER = "demo"

SIGN_INS = Counter(
    "kari_chat_sign_ins_total", "Attempts to sign in or refresh.", ("kind", "outcome")
)

log = structlog.get_logger("kari.identity")


class SignIn:
    """The life of sessions."""

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        passwords: Passwords,
        lockout: Lockout,
        ended: EndedSessions,
        signer: Signer,
        settings: Settings,
        clock: Clock = utc_now,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._passwords = passwords
        self._lockout = lockout
        self._ended = ended
        self._signer = signer
        self._refresh_life = timedelta(days=settings.refresh_token_days)
        self._clock = clock
        self._addresses = AddressCounts(time.monotonic)

    async def with_password(
        self, tenant: str, name: str, password: str, stranger: str | None = None
    ) -> SignedIn:
        """A new session. RateLimited after too many attempts at the name or by the `stranger`, the
        address of a caller who did not prove who it is, or while too many wait; Unauthenticated if
        the password is wrong. Neither the answer nor its time says whether the name exists."""
        tenant, name = tenant or DEFAULT_TENANT, name.lower()
        self._require_room(stranger)
        await self._require_patience(tenant, name)
        account = await self._find(tenant, name)
        kept = account.password_hash if account else None
        checked = await self._passwords.check(kept, password, known=stranger is None)
        if account is None or not checked.right:
            labelled(SIGN_INS, "password", "refused").inc()
            raise Unauthenticated(
                Reason.REASON_CREDENTIALS_WRONG, "the name or the password is wrong"
            )
        await self._lockout.succeeded(tenant, name)
        if checked.renewed:
            await self._users.renew_password_hash(account, checked.renewed)
        labelled(SIGN_INS, "password", "admitted").inc()
        return await self._open(account)

    async def with_refresh_token(self, token: str) -> SignedIn:
        """The session goes on, with new tokens. Unauthenticated if the token is no good."""
        tenant_id, now = tenant_of(token), self._clock()
        if tenant_id is None:
            raise _refused(None)
        successor = new_refresh_token(tenant_id)
        until = now + self._refresh_life
        found = await self._sessions.exchange(tenant_id, token, successor, now, until)
        verdict, session_id, account = found or (None, "", None)
        if account is None or verdict not in (Verdict.ROTATE, Verdict.JOIN):
            labelled(SIGN_INS, "refresh", _word(verdict)).inc()
            log.info("refresh refused", verdict=_word(verdict), session=session_id)
            if verdict is Verdict.REUSED:
                await self._ended.add(tenant_id, session_id)
            raise _refused(verdict)
        labelled(SIGN_INS, "refresh", _word(verdict)).inc()
        return SignedIn(self._tokens(account, session_id, now, successor), account)

    async def out(self, token: str) -> None:
        """Ends the session of a refresh token; whatever is no such token has nothing to end."""
        tenant_id = tenant_of(token)
        if tenant_id is None:
            return
        ended = await self._sessions.end(tenant_id, token, self._clock())
        if ended is not None:
            log.info("signed out", session=ended)
            await self._ended.add(tenant_id, ended)

    async def require_running(self, who: Principal) -> None:
        """Unauthenticated if the session of a good token is known to have ended."""
        if await self._ended.has(who.tenant_id, who.session_id):
            raise _refused(Verdict.REVOKED)

    async def without_password(self, tenant: str, name: str) -> SignedIn:
        """An access token and nothing to refresh it with. NotFound if there is no such user."""
        account = await self._find(tenant or DEFAULT_TENANT, name or DEFAULT_USER)
        if account is None:
            raise NotFound(Reason.REASON_USER_NOT_FOUND, "no such user")
        return SignedIn(self._tokens(account, new_id("session"), self._clock()), account)

    def _require_room(self, stranger: str | None) -> None:
        """Before anything is counted or looked up, so that who is refused here costs nothing, and
        no name waits longer for it."""
        seconds = 0.0 if stranger is None else self._addresses.begin(stranger)
        if seconds:
            labelled(SIGN_INS, "password", "delayed").inc()
            raise RateLimited(
                Reason.REASON_SIGN_IN_RATE,
                "too many attempts from this address; wait and try again",
                retry_after=seconds,
            )
        self._passwords.require_room(known=stranger is None)

    async def _require_patience(self, tenant: str, name: str) -> None:
        seconds = await self._lockout.begin(tenant, name)
        if seconds:
            labelled(SIGN_INS, "password", "delayed").inc()
            raise RateLimited(
                Reason.REASON_SIGN_IN_RATE,
                "too many attempts at this name; wait and try again",
                retry_after=seconds,
            )

    async def _find(self, tenant: str, name: str) -> Account | None:
        tenant_id = await self._users.tenant_id(tenant)
        return None if tenant_id is None else await self._users.by_name(tenant_id, name)

    async def _open(self, account: Account) -> SignedIn:
        now, session_id = self._clock(), new_id("session")
        token = new_refresh_token(account.tenant_id)
        await self._sessions.open(session_id, account, token, now, now + self._refresh_life)
        return SignedIn(self._tokens(account, session_id, now, token), account)

    def _tokens(
        self, account: Account, session_id: str, now: datetime, refresh: str = ""
    ) -> Tokens:
        access, expires_at = self._signer.sign(account, session_id, now)
        return Tokens(access, expires_at, refresh)


def _refused(verdict: Verdict | None) -> Unauthenticated:
    reason, message = _REFUSALS[verdict]
    return Unauthenticated(reason, message)


def _word(verdict: Verdict | None) -> str:
    return verdict.name.lower() if verdict else "unknown"


_REFUSALS = {
    None: (Reason.REASON_TOKEN_INVALID, "this is no refresh token of ours; sign in again"),
    Verdict.EXPIRED: (Reason.REASON_TOKEN_EXPIRED, "the session has expired; sign in again"),
    Verdict.REVOKED: (Reason.REASON_SESSION_REVOKED, "the session was ended; sign in again"),
    Verdict.REUSED: (
        Reason.REASON_REFRESH_REUSED,
        "the refresh token was used before, so its session was ended; sign in again",
    ),
}
