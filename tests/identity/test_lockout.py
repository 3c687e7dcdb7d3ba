"""Guessing passwords is slow; owners are not locked out for long."""

import asyncio

import grpc
import pytest

from kari.identity.v1.identity_pb2 import LoginRequest, RefreshRequest
from servers.identity.lockout import (
    FORGOTTEN_SECONDS,
    FREE_ATTEMPTS,
    LONGEST_SECONDS,
    ProcessLockout,
    delay_after,
)
from servers.runtime.errors import envelope_of
from servers.runtime.settings import Settings
from tests.identity.conftest import (
    PASSWORD,
    Served,
    Tenant,
    identity_server,
    reason_of,
)


async def attempt(
    served: Served, tenant: Tenant, name: str = "demo", password: str = "wrong"
) -> str:
    """The reason of the refusal, by way of the gateway; empty if there is none."""
    request = LoginRequest(tenant=tenant.name, name=name, password=password)
    try:
        await served.stub.Login(request, metadata=served.as_server("gateway"))
    except grpc.aio.AioRpcError as error:
        return reason_of(error)
    return ""


WRONG, DELAYED = "REASON_CREDENTIALS_WRONG", "REASON_SIGN_IN_RATE"


def test_delays_double_up_to_half_a_minute() -> None:
    """The first five attempts cost nothing."""
    assert [delay_after(n) for n in range(1, 14)] == [0.0] * 5 + [1, 2, 4, 8, 16, 30, 30, 30]
    assert delay_after(10_000) == LONGEST_SECONDS


@pytest.mark.parametrize("name", ["demo", "nobody"])
async def test_after_a_few_wrong_passwords_the_next_attempt_has_to_wait(
    served: Served, tenant: Tenant, name: str
) -> None:
    """Whether or not there is somebody of that name."""
    reasons = [await attempt(served, tenant, name) for _ in range(FREE_ATTEMPTS + 2)]
    assert reasons == [WRONG] * (FREE_ATTEMPTS + 1) + [DELAYED]


async def test_who_has_to_wait_is_told_for_how_long(served: Served, tenant: Tenant) -> None:
    """Never longer than half a minute, and the right password waits too."""
    for _ in range(FREE_ATTEMPTS + 1):
        await attempt(served, tenant)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.login(tenant)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    envelope = envelope_of(caught.value)
    assert envelope is not None
    assert envelope.retryable
    assert 1 <= envelope.retry_after.ToTimedelta().total_seconds() <= LONGEST_SECONDS


async def test_attempts_that_are_refused_make_nobody_wait_longer(
    served: Served, tenant: Tenant
) -> None:
    """Hammering at the door does not lengthen the wait: the right password is in after it."""
    for _ in range(FREE_ATTEMPTS + 1):
        await attempt(served, tenant)
    hammering = (attempt(served, tenant) for _ in range(20))
    assert DELAYED in await asyncio.gather(*hammering)
    async with asyncio.timeout(10):
        while await attempt(served, tenant, password=PASSWORD):
            pass


async def test_many_attempts_at_once_do_not_slip_through(served: Served, tenant: Tenant) -> None:
    """They are counted before their passwords are looked at; where all of them take longer than
    the first wait, one more is."""
    reasons = await asyncio.gather(*(attempt(served, tenant) for _ in range(30)))
    assert reasons.count(WRONG) in (FREE_ATTEMPTS + 1, FREE_ATTEMPTS + 2)
    assert reasons.count(WRONG) + reasons.count(DELAYED) == 30


async def test_signing_in_forgets_the_attempts(served: Served, tenant: Tenant) -> None:
    for _ in range(3):
        reasons = [await attempt(served, tenant) for _ in range(FREE_ATTEMPTS - 1)]
        assert reasons == [WRONG] * (FREE_ATTEMPTS - 1)
        await served.login(tenant)


async def test_other_names_and_sessions_go_on(
    served: Served, tenant: Tenant, other_tenant: Tenant
) -> None:
    """Who is signed in stays so; the same name elsewhere is somebody else."""
    token = (await served.login(tenant)).tokens.refresh_token
    for _ in range(FREE_ATTEMPTS + 2):
        await attempt(served, tenant)
    await served.stub.Refresh(RefreshRequest(refresh_token=token))
    await served.login(tenant, "admin")
    await served.login(other_tenant)


async def test_without_redis_each_process_counts_for_itself(
    settings: Settings, tenant: Tenant
) -> None:
    """And everything else of signing in works."""
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1"})
    async with identity_server(Settings(**away.model_dump())) as served:
        token = (await served.login(tenant)).tokens.refresh_token
        await served.stub.Refresh(RefreshRequest(refresh_token=token))
        reasons = [await attempt(served, tenant) for _ in range(FREE_ATTEMPTS + 2)]
    assert reasons == [WRONG] * (FREE_ATTEMPTS + 1) + [DELAYED]


def test_a_process_s_count_lets_one_through_after_each_wait() -> None:
    now = [0.0]
    lockout = ProcessLockout(lambda: now[0])
    waits = [lockout.begin("x") for _ in range(FREE_ATTEMPTS + 2)]
    assert waits == [0.0] * (FREE_ATTEMPTS + 1) + [1.0]
    now[0] += 1
    assert (lockout.begin("x"), lockout.begin("x")) == (0.0, 2.0)
    assert lockout.begin("y") == 0.0


def test_a_process_s_count_is_forgotten() -> None:
    """After a quarter of an hour, or when the owner came in."""
    now = [0.0]
    lockout = ProcessLockout(lambda: now[0])
    for _ in range(FREE_ATTEMPTS + 2):
        lockout.begin("x")
    now[0] += FORGOTTEN_SECONDS + 1
    assert [lockout.begin("x") for _ in range(FREE_ATTEMPTS)] == [0.0] * FREE_ATTEMPTS
    lockout.succeeded("x")
    assert [lockout.begin("x") for _ in range(FREE_ATTEMPTS)] == [0.0] * FREE_ATTEMPTS


def test_a_process_remembers_a_bounded_number_of_names() -> None:
    """Whoever makes names up fills no memory."""
    lockout = ProcessLockout(lambda: 0.0)
    for number in range(20_000):
        lockout.begin(str(number))
    assert len(lockout._names) == 10_000
