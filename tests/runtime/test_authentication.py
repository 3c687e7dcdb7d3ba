"""Who may call: tokens, roles of methods and fields, proofs of servers."""

import time
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kari.chat_hub.v1.chat_hub_pb2 import GetConversationResponse
from kari.conversation_manager.v1.conversation_manager_pb2 import (
    GetConversationRequest,
    ProposeUpdateRequest,
    UpdateConversationRequest,
)
from kari.conversation_models.v1.conversation_pb2 import ConversationChange, ConversationMode
from kari.production_memory.v1.production_memory_pb2 import ClaimAbandonedTurnsRequest, Lease
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from servers.runtime.access_tokens import AccessTokens
from servers.runtime.call import current, principal
from servers.runtime.durations import duration
from servers.runtime.errors import Unauthenticated, envelope_of
from servers.runtime.mesh_key import MeshKey
from tests.runtime.mesh import CONVERSATION, Mesh, get_conversation, reason_of
from tests.runtime.tokens import access_token

Metadata = tuple[tuple[str, str], ...]


async def refusal(mesh: Mesh, metadata: Metadata) -> grpc.aio.AioRpcError:
    """What the hub answers to such a caller."""
    stub = await mesh.user_stub()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetConversation(get_conversation(), metadata=metadata)
    return caught.value


async def test_the_token_s_user_is_the_principal(mesh: Mesh) -> None:
    """With tenant, roles and session, as the token says."""
    seen = []

    async def answer(_request: Any) -> None:
        seen.append(principal())

    mesh.hub.answer = answer
    metadata = mesh.as_user(sub="user_7", tenant="tenant_7", sid="session_7")
    await (await mesh.user_stub()).GetConversation(get_conversation(), metadata=metadata)
    (who,) = seen
    assert (who.user_id, who.tenant_id, who.session_id) == ("user_7", "tenant_7", "session_7")
    assert who.token not in repr(who)


async def test_a_call_without_a_token_is_refused(mesh: Mesh) -> None:
    error = await refusal(mesh, ())
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert reason_of(error) == "REASON_TOKEN_MISSING"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": int(time.time()) - 1}, "REASON_TOKEN_EXPIRED"),
        ({"aud": "somebody-else"}, "REASON_TOKEN_INVALID"),
        ({"iss": "somebody-else"}, "REASON_TOKEN_INVALID"),
        ({"exp": None}, "REASON_TOKEN_INVALID"),
        ({"tenant": None}, "REASON_TOKEN_INVALID"),
        ({"signed_by": Ed25519PrivateKey.generate()}, "REASON_TOKEN_INVALID"),
    ],
)
async def test_a_token_that_is_not_good_is_refused(
    mesh: Mesh, claims: dict[str, Any], reason: str
) -> None:
    """Expired, for others, by others, without what it must have, forged."""
    assert reason_of(await refusal(mesh, mesh.as_user(**claims))) == reason


@pytest.mark.parametrize(
    "rubbish", ["Bearer x", "Bearer a.b.c", "bearer \\x7f", "Bearer " + "e" * 4000]
)
async def test_rubbish_is_no_token(mesh: Mesh, rubbish: str) -> None:
    error = await refusal(mesh, (("authorization", rubbish),))
    assert reason_of(error) == "REASON_TOKEN_INVALID"


@pytest.mark.parametrize("header", ["Basic dTpw", "", "token-alone", "Bearer", "Bearer "])
async def test_another_kind_of_authorization_is_no_token(mesh: Mesh, header: str) -> None:
    """The answer says what to send."""
    error = await refusal(mesh, (("authorization", header),))
    assert reason_of(error) == "REASON_TOKEN_MISSING"
    assert "Bearer <token>" in str(error.details())


async def test_the_word_bearer_may_be_written_as_one_likes(mesh: Mesh) -> None:
    """RFC 7235: schemes know no case."""
    token = mesh.as_user()[0][1].removeprefix("Bearer ")
    stub = await mesh.user_stub()
    metadata = (("authorization", f"bearer {token}"),)
    await stub.GetConversation(get_conversation(), metadata=metadata)


async def test_an_expired_token_says_so_to_machines(mesh: Mesh) -> None:
    """The flow contract's example of details."""
    envelope = envelope_of(await refusal(mesh, mesh.as_user(exp=int(time.time()) - 1)))
    assert envelope is not None
    assert envelope.details["error_code"] == "TOKEN_EXPIRED"


async def test_a_token_that_was_good_is_refused_when_its_time_is_over(mesh: Mesh) -> None:
    """Also one that was verified and is remembered."""
    now = [time.time()]
    tokens = AccessTokens(mesh.keys.jwks, clock=lambda: now[0])
    token = access_token(mesh.keys, exp=int(now[0]) + 60)
    assert tokens.verify(token).user_id == "user_1"
    now[0] += 61
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.verify(token)


async def test_a_missing_role_is_named(mesh: Mesh) -> None:
    error = await refusal(mesh, mesh.as_user("chat.tools.search"))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    envelope = envelope_of(error)
    assert envelope is not None
    assert envelope.details["role"] == "chat.user"


async def test_an_administrator_has_every_role(mesh: Mesh) -> None:
    stub = await mesh.user_stub()
    answer = await stub.GetConversation(get_conversation(), metadata=mesh.as_user("chat.admin"))
    assert answer == GetConversationResponse()


def change_of_mode() -> UpdateConversationRequest:
    change = ConversationChange(mode=ConversationMode.CONVERSATION_MODE_CODE)
    return UpdateConversationRequest(conversation_id=CONVERSATION, request_id="1", changes=[change])


async def test_a_field_asks_for_its_own_role(mesh: Mesh) -> None:
    """Switching the mode needs chat.mode.switch, a title needs nothing more."""
    stub = await mesh.manager_stub()
    proof = mesh.as_server("chat_hub")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.UpdateConversation(change_of_mode(), metadata=(*proof, *mesh.as_user()))
    assert "chat.mode.switch" in caught.value.details()
    switcher = mesh.as_user("chat.user", "chat.mode.switch")
    await stub.UpdateConversation(change_of_mode(), metadata=(*proof, *switcher))


async def test_a_server_of_the_mesh_is_not_called_by_users(mesh: Mesh) -> None:
    """Nor by a server that is none of its callers."""
    stub = await mesh.manager_stub()
    request = GetConversationRequest(conversation_id=CONVERSATION)
    for proof in ((), mesh.as_server("model_factory"), (("x-kari-caller", "chat_hub"),)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetConversation(request, metadata=(*proof, *mesh.as_user("chat.admin")))
        assert reason_of(caught.value) == "REASON_CALLER_NOT_ALLOWED"
    await stub.GetConversation(request, metadata=(*mesh.as_server("chat_hub"), *mesh.as_user()))


async def test_a_proof_by_another_key_proves_nothing(mesh: Mesh) -> None:
    stub = await mesh.manager_stub()
    forged = (("x-kari-caller", MeshKey(b"another key" * 4).prove("chat_hub")),)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetConversation(
            GetConversationRequest(conversation_id=CONVERSATION),
            metadata=(*forged, *mesh.as_user()),
        )
    assert reason_of(caught.value) == "REASON_CALLER_NOT_ALLOWED"


def delegated(mesh: Mesh) -> Metadata:
    who = mesh.key.delegate(
        "chat_hub", user_id="user_1", tenant_id="tenant_1", roles=frozenset({"chat.user"})
    )
    return (("authorization", f"Bearer {who.token}"),)


async def test_a_delegation_counts_only_with_a_server_s_proof(mesh: Mesh) -> None:
    """A stolen one is of no use outside the mesh."""
    assert reason_of(await refusal(mesh, delegated(mesh))) == "REASON_TOKEN_INVALID"
    stub = await mesh.manager_stub()
    await stub.GetConversation(
        GetConversationRequest(conversation_id=CONVERSATION),
        metadata=(*mesh.as_server("chat_hub"), *delegated(mesh)),
    )


async def test_a_delegation_is_no_proof_and_a_proof_no_token(mesh: Mesh) -> None:
    """Both are signed by the mesh's key."""
    stub = await mesh.manager_stub()
    proof, token = mesh.as_server("chat_hub")[0][1], delegated(mesh)[0][1].split()[1]
    request = GetConversationRequest(conversation_id=CONVERSATION)
    for caller, user, reason in (
        (token, token, "REASON_CALLER_NOT_ALLOWED"),
        (proof, proof, "REASON_TOKEN_INVALID"),
    ):
        metadata = (("x-kari-caller", caller), ("authorization", f"Bearer {user}"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetConversation(request, metadata=metadata)
        assert reason_of(caught.value) == reason


async def test_an_unattended_method_needs_a_server_and_no_user(mesh: Mesh) -> None:
    """It sees who called, and no principal."""
    seen = []

    async def answer(_request: Any) -> None:
        seen.append((current().caller, current().principal))

    mesh.memory.answer = answer
    stub = ProductionMemoryServiceStub(await mesh.plain("production_memory"))
    request = ClaimAbandonedTurnsRequest(lease=Lease(owner="one", duration=duration(5)))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ClaimAbandonedTurns(request, metadata=mesh.as_user("chat.admin"))
    assert reason_of(caught.value) == "REASON_CALLER_NOT_ALLOWED"
    await stub.ClaimAbandonedTurns(request, metadata=mesh.as_server("chat_orchestrator"))
    assert seen == [("chat_orchestrator", None)]


async def test_nobody_s_fields_are_validated_before_it_is_known_who_asks(mesh: Mesh) -> None:
    """A stranger learns nothing of the contract's rules."""
    stub = await mesh.manager_stub()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ProposeUpdate(ProposeUpdateRequest())
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
