"""What administrators and the operator do with users."""

from collections.abc import Sequence

import structlog

from kari.errors.v1.errors_pb2 import Reason
from servers.identity.accounts import Account
from servers.identity.clock import Clock, utc_now
from servers.identity.passwords import Passwords
from servers.identity.store import Users
from servers.runtime.call import Call
from servers.runtime.errors import Conflict, Forbidden, NotFound
from servers.runtime.ids import new_id
from servers.runtime.mesh_key import OPERATOR
from servers.runtime.paging import place_of, size_of, token_of

log = structlog.get_logger("kari.identity")


class Administration:
    """Lists, makes and changes the users of a tenant."""

    def __init__(self, users: Users, passwords: Passwords, clock: Clock = utc_now) -> None:
        self._users = users
        self._passwords = passwords
        self._clock = clock

    async def page(
        self, tenant_id: str, page_size: int, page_token: str
    ) -> tuple[Sequence[Account], str]:
        """Accounts by name, and the token of the next page; empty on the last."""
        size = size_of(page_size)
        (after,) = place_of(page_token, str) or ("",)
        found = await self._users.after(tenant_id, str(after), size + 1)
        more = token_of(found[size - 1].name) if len(found) > size else ""
        return found[:size], more

    async def add(
        self, tenant_id: str, name: str, password: str, roles: Sequence[str], request_id: str
    ) -> Account:
        """Makes an account; a repeated request is given the first one's. Conflict if the name is
        taken, or the request id was used for another name."""
        hashed = await self._passwords.hash(password)
        account = Account(new_id("user"), tenant_id, name, _distinct(roles), self._clock(), hashed)
        kept = await self._users.add(account, request_id)
        if kept is None:
            raise Conflict(Reason.REASON_USER_EXISTS, f"there is a user {name} already")
        if kept.name != name:
            raise Conflict(
                Reason.REASON_REQUEST_ID_REUSED,
                "this request id was used before for another user; use a new one",
            )
        if kept is account:
            log.info("user made", subject=account.id, roles=account.roles)
        return kept

    async def set_roles(self, tenant_id: str, user_id: str, roles: Sequence[str]) -> Account:
        """Replaces roles; NotFound if the tenant has no such user."""
        account = await self._users.set_roles(tenant_id, user_id, _distinct(roles))
        if account is None:
            raise NotFound(Reason.REASON_USER_NOT_FOUND, "no such user")
        log.info("roles set", subject=user_id, roles=account.roles)
        return account


def require_operator(call: Call) -> None:
    """Forbidden unless the operator calls: servers of the mesh have no use for anyone's token."""
    if call.caller != OPERATOR:
        raise Forbidden(
            Reason.REASON_CALLER_NOT_ALLOWED, "only the operator may", caller=call.caller
        )


def _distinct(roles: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(roles)))
