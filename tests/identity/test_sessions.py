"""The life of a session: refreshed, signed out, stolen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import asyncpg
import grpc
import pytest
import pytest_asyncio

from kari.identity.v1.identity_pb2 import (
    LogoutRequest,
    RefreshRequest,
    RefreshResponse,
    SetRolesRequest,
    WhoAmIRequest,
)
from servers.identity.clock import utc_now
from servers.identity.rotation import GRACE, digest
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource
from servers.runtime.settings import Settings
from tests.identity.conftest import Served, Tenant, bearer, reason_of

Later = Callable[[timedelta], Awaitable[None]]


async def refresh(served: Served, token: str) -> RefreshResponse:
    return await served.stub.Refresh(RefreshRequest(refresh_token=token))


async def refusal(served: Served, token: str) -> str:
    """Why a refresh token is no good."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await refresh(served, token)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    return reason_of(caught.value)


@pytest_asyncio.fixture
async def later(settings: Settings, tenant: Tenant) -> AsyncIterator[Later]:
    """Lets time pass for the tenant's sessions. The server's own role could not."""
    assert settings.postgres_url is not None
    owner = await asyncpg.connect(settings.postgres_url.get_secret_value())
    await owner.execute("SELECT set_config('kari.tenant', $1, false)", tenant.id)

    async def pass_(by: timedelta) -> None:
        await owner.execute(
            "UPDATE identity.sessions SET rotated_at = rotated_at - $1::interval,"
            " expires_at = expires_at - $1::interval",
            by,
        )
        await owner.execute(
            "UPDATE identity.refresh_tokens SET expires_at = expires_at - $1::interval", by
        )

    yield pass_
    await owner.close()


async def test_a_refresh_gives_new_tokens_of_the_same_session(
    served: Served, tenant: Tenant
) -> None:
    signed_in = await served.login(tenant)
    refreshed = await refresh(served, signed_in.tokens.refresh_token)
    assert refreshed.user == signed_in.user
    assert refreshed.tokens.refresh_token != signed_in.tokens.refresh_token
    sessions = [
        (await served.stub.WhoAmI(WhoAmIRequest(), metadata=bearer(t.access_token))).session_id
        for t in (signed_in.tokens, refreshed.tokens)
    ]
    assert sessions[0] == sessions[1]


async def test_a_session_goes_on_for_many_refreshes(served: Served, tenant: Tenant) -> None:
    tokens = (await served.login(tenant)).tokens
    for _ in range(5):
        tokens = (await refresh(served, tokens.refresh_token)).tokens


async def test_a_second_use_after_the_grace_ends_the_whole_session(
    served: Served, tenant: Tenant, later: Later
) -> None:
    """Somebody has a copy; thief and owner both have to sign in again."""
    stolen = (await served.login(tenant)).tokens.refresh_token
    current = (await refresh(served, stolen)).tokens.refresh_token
    await later(GRACE)
    assert await refusal(served, stolen) == "REASON_REFRESH_REUSED"
    assert await refusal(served, current) == "REASON_SESSION_REVOKED"


async def test_a_thief_within_the_grace_is_found_at_the_next_refresh(
    served: Served, tenant: Tenant, later: Later
) -> None:
    """Two lines of tokens never live on: whoever refreshes second ends both."""
    shared = (await served.login(tenant)).tokens.refresh_token
    owner = (await refresh(served, shared)).tokens.refresh_token
    thief = (await refresh(served, shared)).tokens.refresh_token
    await refresh(served, thief)
    await later(GRACE)
    assert await refusal(served, owner) == "REASON_REFRESH_REUSED"


async def test_two_tabs_that_refresh_at_once_both_go_on(served: Served, tenant: Tenant) -> None:
    """Also eight; whichever token is kept in the end is good."""
    shared = (await served.login(tenant)).tokens.refresh_token
    pairs = await asyncio.gather(*(refresh(served, shared) for _ in range(8)))
    tokens = [pair.tokens.refresh_token for pair in pairs]
    assert len(set(tokens)) == 8
    await refresh(served, tokens[3])


async def test_a_grandparent_is_reused_even_within_the_grace(
    served: Served, tenant: Tenant
) -> None:
    """Only the one before the latest may come late."""
    first = (await served.login(tenant)).tokens.refresh_token
    second = (await refresh(served, first)).tokens.refresh_token
    await refresh(served, second)
    assert await refusal(served, first) == "REASON_REFRESH_REUSED"


async def test_signing_out_ends_the_session(served: Served, tenant: Tenant) -> None:
    """Twice is fine, and other sessions of the user go on."""
    one, other = [(await served.login(tenant)).tokens.refresh_token for _ in range(2)]
    for _ in range(2):
        await served.stub.Logout(LogoutRequest(refresh_token=one))
    assert await refusal(served, one) == "REASON_SESSION_REVOKED"
    await refresh(served, other)


async def test_an_old_token_signs_out_its_session_too(served: Served, tenant: Tenant) -> None:
    first = (await served.login(tenant)).tokens.refresh_token
    second = (await refresh(served, first)).tokens.refresh_token
    await served.stub.Logout(LogoutRequest(refresh_token=first))
    assert await refusal(served, second) == "REASON_SESSION_REVOKED"


async def test_whoever_is_signed_out_is_nobody_at_once(served: Served, tenant: Tenant) -> None:
    """WhoAmI knows it, though the access token has not ended."""
    tokens = (await served.login(tenant)).tokens
    await served.stub.Logout(LogoutRequest(refresh_token=tokens.refresh_token))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.stub.WhoAmI(WhoAmIRequest(), metadata=bearer(tokens.access_token))
    assert reason_of(caught.value) == "REASON_SESSION_REVOKED"


async def test_an_unused_session_ends_by_itself(
    served: Served, tenant: Tenant, later: Later
) -> None:
    token = (await served.login(tenant)).tokens.refresh_token
    await later(timedelta(days=31))
    assert await refusal(served, token) == "REASON_TOKEN_EXPIRED"


async def test_a_refreshed_session_lives_on_from_there(
    served: Served, tenant: Tenant, later: Later
) -> None:
    """Thirty days without a refresh end it, not thirty days."""
    token = (await served.login(tenant)).tokens.refresh_token
    for _ in range(3):
        await later(timedelta(days=20))
        token = (await refresh(served, token)).tokens.refresh_token


@pytest.mark.parametrize(
    "rubbish", ["x", "a.b", "tenant_" + "0" * 32 + "." + "A" * 43, "\0", "' OR 1=1", "é" * 500]
)
async def test_rubbish_is_no_refresh_token(served: Served, rubbish: str) -> None:
    """Signing it out is fine."""
    assert await refusal(served, rubbish) == "REASON_TOKEN_INVALID"
    await served.stub.Logout(LogoutRequest(refresh_token=rubbish))


async def test_a_token_under_another_tenant_s_name_is_no_token(
    served: Served, tenant: Tenant, other_tenant: Tenant
) -> None:
    """And the session of the right one is not harmed."""
    token = (await served.login(tenant)).tokens.refresh_token
    forged = f"{other_tenant.id}.{token.partition('.')[2]}"
    assert await refusal(served, forged) == "REASON_TOKEN_INVALID"
    await refresh(served, token)


async def test_new_roles_count_from_the_next_token_on(served: Served, tenant: Tenant) -> None:
    signed_in = await served.login(tenant)
    change = SetRolesRequest(user_id=signed_in.user.id, roles=["chat.user"])
    await served.stub.SetRoles(change, metadata=await served.as_user(tenant, "admin"))
    refreshed = await refresh(served, signed_in.tokens.refresh_token)
    told = await served.stub.WhoAmI(WhoAmIRequest(), metadata=bearer(refreshed.tokens.access_token))
    assert list(told.user.roles) == ["chat.user"]


async def test_only_hashes_of_refresh_tokens_are_kept(
    served: Served, tenant: Tenant, database: Resource[Database]
) -> None:
    token = (await served.login(tenant)).tokens.refresh_token
    async with (await database.get()).transaction(tenant.id) as connection:
        (row,) = await connection.fetch(
            "SELECT refresh_tokens::text AS row, hash FROM refresh_tokens"
        )
    assert row["hash"] == digest(token)
    assert token.partition(".")[2] not in row["row"]


async def test_expired_sessions_of_a_user_are_forgotten_at_the_next_sign_in(
    served: Served, tenant: Tenant, later: Later, database: Resource[Database]
) -> None:
    """With their tokens, so that nothing grows for ever."""
    await served.login(tenant)
    await later(timedelta(days=31))
    await served.login(tenant)
    async with (await database.get()).transaction(tenant.id) as connection:
        counts = [
            await connection.fetchval(f"SELECT count(*) FROM {table}")
            for table in ("sessions", "refresh_tokens")
        ]
        (until,) = await connection.fetchrow("SELECT expires_at FROM sessions")
    assert counts == [1, 1]
    assert until > utc_now()
