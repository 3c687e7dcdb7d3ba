"""Nobody can keep others from signing in by trying very often."""

import asyncio
import secrets
from collections import Counter

import grpc
import pytest

from kari.errors.v1.errors_pb2 import Reason
from kari.identity.v1.identity_pb2 import LoginRequest
from servers.identity.addresses import ATTEMPTS, WINDOW_SECONDS, AddressCounts, address_of
from servers.identity.passwords import MOST_WAITING, MOST_WAITING_STRANGERS, THREADS, Passwords
from servers.runtime.errors import RateLimited, envelope_of
from tests.identity.conftest import PASSWORD, Metadata, Served, Tenant, reason_of


async def attempt(served: Served, tenant: Tenant, name: str, metadata: Metadata = ()) -> str:
    """The reason of the refusal; empty if there is none."""
    request = LoginRequest(tenant=tenant.name, name=name, password=PASSWORD)
    try:
        await served.stub.Login(request, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return reason_of(error)
    return ""


async def test_strangers_in_great_number_keep_nobody_out_who_comes_by_the_gateway(
    served: Served, tenant: Tenant
) -> None:
    """200 at once, each with a name of its own: most are refused, the gateway's user is in."""
    names = [secrets.token_hex(4) for _ in range(200)]
    flood = [asyncio.create_task(attempt(served, tenant, name)) for name in names]
    await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
    assert await attempt(served, tenant, "demo", served.as_server("gateway")) == ""
    reasons = Counter(await asyncio.gather(*flood))
    assert set(reasons) == {"REASON_SIGN_IN_RATE", "REASON_CREDENTIALS_WRONG"}
    assert reasons["REASON_SIGN_IN_RATE"] >= 200 - ATTEMPTS


async def test_an_address_that_tries_too_often_is_told_when_to_try_again(
    served: Served, tenant: Tenant
) -> None:
    for _ in range(3):
        await asyncio.gather(*(attempt(served, tenant, str(n)) for n in range(ATTEMPTS)))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.login(tenant)
    envelope = envelope_of(caught.value)
    assert envelope is not None
    assert (envelope.retryable, Reason.Name(envelope.reason)) == (True, "REASON_SIGN_IN_RATE")
    assert envelope.retry_after.ToTimedelta().total_seconds() <= WINDOW_SECONDS


@pytest.mark.parametrize("caller", ["gateway", "operator"])
async def test_callers_who_prove_who_they_are_have_no_limit_by_address(
    served: Served, tenant: Tenant, caller: str
) -> None:
    """The gateway has one address and many people."""
    metadata = served.as_server(caller)
    reasons = [await attempt(served, tenant, "demo", metadata) for _ in range(ATTEMPTS + 1)]
    assert set(reasons) == {""}


@pytest.mark.parametrize(("known", "most"), [(True, MOST_WAITING), (False, MOST_WAITING_STRANGERS)])
async def test_the_line_of_checks_has_an_end(*, known: bool, most: int) -> None:
    """Who finds it full is refused at once and may come again soon."""
    passwords = Passwords()
    checks = (passwords.check(None, PASSWORD, known=known) for _ in range(200))
    found = await asyncio.gather(*checks, return_exceptions=True)
    refused = [error for error in found if isinstance(error, RateLimited)]
    assert len(refused) == 200 - most - THREADS
    assert (refused[0].may_retry, refused[0].retry_after) == (True, 1.0)
    assert not (await passwords.check(None, PASSWORD, known=known)).right
    await passwords.close()


async def test_checks_that_are_called_off_leave_the_line() -> None:
    """Callers who leave keep no place."""
    passwords = Passwords()
    for _ in range(3):
        checks = [asyncio.create_task(passwords.check(None, PASSWORD)) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)
    passwords.require_room(known=False)
    await passwords.close()


def test_an_address_may_try_again_in_the_next_window() -> None:
    now = [100.0]
    counts = AddressCounts(lambda: now[0])
    waits = [counts.begin("a") for _ in range(ATTEMPTS + 1)]
    assert waits == [0.0] * ATTEMPTS + [WINDOW_SECONDS]
    now[0] += 20
    assert (counts.begin("a"), counts.begin("b")) == (WINDOW_SECONDS - 20, 0.0)
    now[0] += WINDOW_SECONDS - 20
    assert counts.begin("a") == 0.0


def test_a_bounded_number_of_addresses_is_remembered() -> None:
    """Whoever has very many fills no memory."""
    counts = AddressCounts(lambda: 0.0)
    for number in range(20_000):
        counts.begin(str(number))
    assert len(counts._windows) == 10_000


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.1:5000", "192.0.2.1"),
        ("ipv6:%5B2001:db8:1:2:3::4%5D:5000", "2001:db8:1:2::/64"),
        ("ipv6:[2001:db8:1:2::9]:1", "2001:db8:1:2::/64"),
        ("ipv6:%5B::ffff:192.0.2.1%5D:5000", "192.0.2.1"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5000", "fe80::/64"),
        ("unix:", "unix"),
        ("unknown", "unknown"),
        ("ipv4:rubbish:1", "rubbish"),
    ],
)
def test_a_network_of_ipv6_counts_as_one_address(peer: str, address: str) -> None:
    """Its owner may use any address in it."""
    assert address_of(peer) == address
