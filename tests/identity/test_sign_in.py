"""Signing in with a password."""

import time
from typing import Any

import grpc
import pytest
from argon2 import PasswordHasher

from kari.identity.v1.identity_pb2 import (
    GetJwksRequest,
    LoginRequest,
    WhoAmIRequest,
)
from servers.identity.passwords import Passwords
from servers.identity.store import Users
from servers.runtime.access_tokens import AccessTokens
from servers.runtime.keys import key_files
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource
from servers.runtime.settings import Settings
from tests.identity.conftest import PASSWORD, Served, Tenant, bearer, reason_of


async def refusal(served: Served, tenant: str, name: str, password: str) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.stub.Login(LoginRequest(tenant=tenant, name=name, password=password))
    return caught.value


async def test_a_right_password_gives_tokens_that_say_who_it_is(
    served: Served, tenant: Tenant
) -> None:
    """Login, then WhoAmI with the access token."""
    found = await served.login(tenant)
    told = await served.stub.WhoAmI(WhoAmIRequest(), metadata=bearer(found.tokens.access_token))
    assert (told.user.id, told.user.tenant_id) == (found.user.id, tenant.id)
    assert "chat.user" in told.user.roles
    assert told.session_id.startswith("session_")
    assert told.expires_at == found.tokens.expires_at


async def test_an_access_token_lives_as_long_as_the_settings_say(
    served: Served, tenant: Tenant, settings: Settings
) -> None:
    """And every server can verify it from the published keys."""
    tokens = (await served.login(tenant)).tokens
    who = AccessTokens(key_files(settings).jwks).verify(tokens.access_token)
    assert who.tenant_id == tenant.id
    assert who.expires_at == tokens.expires_at.seconds
    life = tokens.expires_at.seconds - time.time()
    assert life == pytest.approx(settings.access_token_seconds, abs=60)


async def test_the_published_keys_are_those_that_servers_read(
    served: Served, settings: Settings
) -> None:
    published = await served.stub.GetJwks(GetJwksRequest())
    assert published.jwks_json == key_files(settings).jwks.read_text()
    assert '"d"' not in published.jwks_json


@pytest.mark.parametrize(
    ("tenant_name", "name", "password"),
    [
        (None, "demo", "wrong"),
        (None, "demo", PASSWORD + " "),
        (None, "nobody", PASSWORD),
        ("no-such-tenant", "demo", PASSWORD),
        (None, "x' OR '1'='1", PASSWORD),
        (None, "%", PASSWORD),
    ],
)
async def test_what_was_wrong_is_not_said(
    served: Served, tenant: Tenant, tenant_name: str | None, name: str, password: str
) -> None:
    """The same answer for a wrong password, name or tenant."""
    error = await refusal(served, tenant_name or tenant.name, name, password)
    assert reason_of(error) == "REASON_CREDENTIALS_WRONG"
    assert error.details() == "the name or the password is wrong"


async def test_a_name_with_a_character_that_cannot_be_stored_is_refused(
    served: Served, tenant: Tenant
) -> None:
    error = await refusal(served, tenant.name, "a\0b", PASSWORD)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_names_are_small_letters_however_they_are_typed(
    served: Served, tenant: Tenant
) -> None:
    """Telephones begin with a capital."""
    request = LoginRequest(tenant=tenant.name, name="Demo", password=PASSWORD)
    assert (await served.stub.Login(request)).user.name == "demo"


async def test_the_other_tenant_s_password_opens_nothing(
    served: Served, tenant: Tenant, other_tenant: Tenant, database: Resource[Database]
) -> None:
    """The same name in two tenants is two people."""
    one, other = await served.login(tenant), await served.login(other_tenant)
    assert one.user.id != other.user.id
    account = await Users(database).by_name(other_tenant.id, "demo")
    assert account is not None
    assert await Users(database).by_name(tenant.id, "demo") != account


async def test_a_hash_of_old_parameters_is_renewed_at_sign_in(
    served: Served, tenant: Tenant, database: Resource[Database]
) -> None:
    """Only then is the password at hand."""
    users = Users(database)
    account = await users.by_name(tenant.id, "demo")
    assert account is not None
    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    await users.renew_password_hash(account, weak)
    await served.login(tenant)
    renewed = await users.by_name(tenant.id, "demo")
    assert renewed is not None
    assert renewed.password_hash not in (weak, account.password_hash)
    await served.login(tenant)


async def test_passwords_are_kept_as_argon2id(tenant: Tenant, database: Resource[Database]) -> None:
    account = await Users(database).by_name(tenant.id, "demo")
    assert account is not None
    assert account.password_hash.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert account.password_hash not in repr(account)


async def test_a_password_is_the_same_however_its_letters_are_composed() -> None:
    """Some keyboards send é as one character, some as two."""
    passwords = Passwords()
    kept = await passwords.hash("caf\u00e9")
    assert (await passwords.check(kept, "cafe\u0301")).right
    await passwords.close()


async def test_a_kept_hash_that_is_rubbish_opens_nothing() -> None:
    passwords = Passwords()
    assert not (await passwords.check("rubbish", PASSWORD)).right
    assert not (await passwords.check("", PASSWORD)).right
    await passwords.close()
