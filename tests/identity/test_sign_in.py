"""Signing in with a password."""

from kari.identity.v1.identity_pb2 import WhoAmIRequest
from tests.identity.conftest import Served, Tenant, bearer


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
