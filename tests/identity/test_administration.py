"""Users of a tenant, made and changed by its administrators; tokens for the operator."""

from typing import Any

import grpc
import pytest

from kari.identity.v1.identity_pb2 import (
    CreateUserRequest,
    IssueTokenRequest,
    ListUsersRequest,
    LoginRequest,
    SetRolesRequest,
    WhoAmIRequest,
)
from servers.runtime.ids import new_id
from servers.runtime.mesh_key import OPERATOR
from tests.identity.conftest import Served, Tenant, bearer, reason_of


async def refusal(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return reason_of(caught.value)


def ann(**changes: Any) -> CreateUserRequest:
    given = {"name": "ann", "password": "long enough", "roles": ["chat.user"]}
    return CreateUserRequest(**{**given, **changes})


async def test_a_new_user_can_sign_in(served: Served, tenant: Tenant) -> None:
    admin = await served.as_user(tenant, "admin")
    made = (await served.stub.CreateUser(ann(), metadata=admin)).user
    request = LoginRequest(tenant=tenant.name, name="ann", password="long enough")
    assert (await served.stub.Login(request)).user == made
    assert (made.tenant_id, list(made.roles)) == (tenant.id, ["chat.user"])


async def test_a_name_is_taken_once_in_a_tenant(
    served: Served, tenant: Tenant, other_tenant: Tenant
) -> None:
    """And is free in another one."""
    admin = await served.as_user(tenant, "admin")
    await served.stub.CreateUser(ann(), metadata=admin)
    assert await refusal(served.stub.CreateUser(ann(), metadata=admin)) == "REASON_USER_EXISTS"
    other_admin = await served.as_user(other_tenant, "admin")
    await served.stub.CreateUser(ann(), metadata=other_admin)


async def test_a_repeated_request_gives_the_same_user(served: Served, tenant: Tenant) -> None:
    """An id that was used for somebody else is refused."""
    admin = await served.as_user(tenant, "admin")
    first = await served.stub.CreateUser(ann(request_id="r-1"), metadata=admin)
    again = await served.stub.CreateUser(ann(request_id="r-1"), metadata=admin)
    assert again == first
    other = served.stub.CreateUser(ann(name="bob", request_id="r-1"), metadata=admin)
    assert await refusal(other) == "REASON_REQUEST_ID_REUSED"
    taken = served.stub.CreateUser(ann(request_id="r-2"), metadata=admin)
    assert await refusal(taken) == "REASON_USER_EXISTS"


@pytest.mark.parametrize(
    "changes", [{"name": "Ann"}, {"name": ""}, {"password": "short"}, {"roles": ["everything"]}]
)
async def test_a_user_that_breaks_a_rule_is_not_made(
    served: Served, tenant: Tenant, changes: dict[str, Any]
) -> None:
    admin = await served.as_user(tenant, "admin")
    refused = served.stub.CreateUser(ann(**changes), metadata=admin)
    assert await refusal(refused) == "REASON_FIELD_INVALID"


async def test_users_are_listed_by_name_page_by_page(served: Served, tenant: Tenant) -> None:
    admin = await served.as_user(tenant, "admin")
    for name in ("zoe", "ann"):
        await served.stub.CreateUser(ann(name=name), metadata=admin)
    names, token = [], ""
    while True:
        request = ListUsersRequest(page_size=3, page_token=token)
        page = await served.stub.ListUsers(request, metadata=admin)
        names.append([user.name for user in page.users])
        token = page.next_page_token
        if not token:
            break
    assert names == [["admin", "ann", "demo"], ["zoe"]]


async def test_a_page_token_of_another_list_is_refused(served: Served, tenant: Tenant) -> None:
    admin = await served.as_user(tenant, "admin")
    for token in ("rubbish", "WzFd"):
        listing = served.stub.ListUsers(ListUsersRequest(page_token=token), metadata=admin)
        assert await refusal(listing) == "REASON_FIELD_INVALID"


async def test_roles_are_replaced(served: Served, tenant: Tenant) -> None:
    """Said twice they count once."""
    user = (await served.login(tenant)).user
    request = SetRolesRequest(user_id=user.id, roles=["chat.user", "chat.admin", "chat.user"])
    admin = await served.as_user(tenant, "admin")
    changed = (await served.stub.SetRoles(request, metadata=admin)).user
    assert list(changed.roles) == ["chat.admin", "chat.user"]
    await served.stub.ListUsers(ListUsersRequest(), metadata=await served.as_user(tenant))


async def test_an_administrator_sees_and_changes_nobody_of_another_tenant(
    served: Served, tenant: Tenant, other_tenant: Tenant
) -> None:
    stranger = (await served.login(other_tenant)).user
    admin = await served.as_user(tenant, "admin")
    listed = (await served.stub.ListUsers(ListUsersRequest(), metadata=admin)).users
    assert {user.tenant_id for user in listed} == {tenant.id}
    for user_id in (stranger.id, new_id("user")):
        request = SetRolesRequest(user_id=user_id, roles=["chat.admin"])
        changing = served.stub.SetRoles(request, metadata=admin)
        assert await refusal(changing) == "REASON_USER_NOT_FOUND"
    assert (await served.login(other_tenant)).user == stranger


async def test_users_do_not_administer(served: Served, tenant: Tenant) -> None:
    demo = await served.as_user(tenant)
    calls = (
        served.stub.ListUsers(ListUsersRequest(), metadata=demo),
        served.stub.CreateUser(ann(), metadata=demo),
        served.stub.SetRoles(SetRolesRequest(user_id=new_id("user")), metadata=demo),
    )
    assert [await refusal(call) for call in calls] == ["REASON_ROLE_MISSING"] * 3


async def test_the_operator_gets_anybody_s_token(served: Served, tenant: Tenant) -> None:
    """Without a password, and without a refresh token."""
    request = IssueTokenRequest(tenant=tenant.name, name="admin")
    issued = await served.stub.IssueToken(request, metadata=served.as_server(OPERATOR))
    assert issued.tokens.refresh_token == ""
    told = await served.stub.WhoAmI(WhoAmIRequest(), metadata=bearer(issued.tokens.access_token))
    assert (told.user.id, list(told.user.roles)) == (issued.user.id, ["chat.admin"])


async def test_nobody_else_gets_anybody_s_token(served: Served, tenant: Tenant) -> None:
    """No user, no administrator, no stranger, no server of the mesh."""
    request = IssueTokenRequest(tenant=tenant.name, name="demo")
    admin = await served.as_user(tenant, "admin")
    for metadata in ((), admin, served.as_server("gateway"), served.as_server("chat_hub")):
        issuing = served.stub.IssueToken(request, metadata=metadata)
        assert await refusal(issuing) == "REASON_CALLER_NOT_ALLOWED"


async def test_the_operator_is_told_that_there_is_no_such_user(
    served: Served, tenant: Tenant
) -> None:
    for names in ({"tenant": tenant.name, "name": "nobody"}, {"tenant": "nowhere"}):
        request = IssueTokenRequest(**names)
        issuing = served.stub.IssueToken(request, metadata=served.as_server(OPERATOR))
        assert await refusal(issuing) == "REASON_USER_NOT_FOUND"
