"""Streams end with the token with which they were opened, whoever signed it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from kari.chat_hub.v1 import chat_hub_pb2 as pb
from kari.errors.v1.errors_pb2 import Reason
from kari.identity.v1.identity_pb2 import User
from servers.runtime.access_tokens import AccessTokens
from servers.runtime.call import Call, Principal, acting
from servers.runtime.errors import Unauthenticated, from_rpc
from servers.runtime.ids import new_correlation_id
from servers.runtime.keys import ensure_keys
from servers.runtime.mesh_key import MeshKey
from tests.chat_hub.conftest import House
from tests.gateway.scripted_identity import ScriptedIdentity

SECONDS = 1.5


def signed_in(house: House) -> Principal:
    """The user of the house, with a token of identity that ends soon."""
    keys = ensure_keys(house.settings)
    who = User(id=house.user.user_id, tenant_id=house.user.tenant_id, roles=["chat.user"])
    identity = ScriptedIdentity(keys)  # type: ignore[abstract]  # it signs, and is not served
    return AccessTokens(keys.jwks).verify(identity.token(who, seconds=SECONDS))


def delegated(house: House) -> Principal:
    """The user of the house, with a delegation that ends soon."""
    life = house.user.expires_at - time.time()
    past = MeshKey(house.mesh.key._key, lambda: time.time() - life + SECONDS)
    user = house.user
    return past.delegate("test", user_id=user.user_id, tenant_id=user.tenant_id, roles=user.roles)


SHORT_LIVED = pytest.mark.parametrize("principal_of", [signed_in, delegated])
Make = Callable[[House], Principal]


@contextmanager
def on_behalf_of(who: Principal) -> Iterator[None]:
    with acting(Call(new_correlation_id(), principal=who)):
        yield


async def end_of(call: Any) -> Unauthenticated:
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        async for _ in call:
            pass
    error = from_rpc(ended.value)
    assert isinstance(error, Unauthenticated)
    return error


@SHORT_LIVED
async def test_watching_ends_with_the_token(house: House, principal_of: Make) -> None:
    who = principal_of(house)
    with on_behalf_of(who):
        call = house.stub.Watch(pb.WatchRequest(conversation_ids=[house.conversation.id]))
    error = await end_of(call)
    assert error.reason == Reason.REASON_TOKEN_EXPIRED
    assert error.details["error_code"] == "TOKEN_EXPIRED"
    assert time.time() >= who.expires_at


@SHORT_LIVED
async def test_following_ends_with_the_token(house: House, principal_of: Make) -> None:
    turn, who = house.turn(), principal_of(house)
    await house.streams.open(turn.id)
    with on_behalf_of(who):
        call = house.stub.FollowTurn(pb.FollowTurnRequest(turn_id=turn.id))
    error = await end_of(call)
    assert error.reason == Reason.REASON_TOKEN_EXPIRED
    assert error.details["error_code"] == "TOKEN_EXPIRED"
    assert time.time() >= who.expires_at
