"""Where a peer lives is invisible to who calls it."""

import json
from pathlib import Path

import grpc
import pytest

from kari.conversation_manager.v1.conversation_manager_pb2 import GetConversationRequest
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
)
from servers.runtime.channels import service_config
from servers.runtime.in_process import InProcessChannel
from servers.runtime.interceptors.sending_channel import SendingChannel
from servers.runtime.keys import ensure_keys
from servers.runtime.settings import Settings
from servers.wiring import Wiring, contract_of
from tests.runtime.mesh import CONVERSATION, Mesh


def wiring(folder: Path, *here: str) -> Wiring:
    settings = Settings(data=folder)
    return Wiring(settings, ensure_keys(settings), here=here)


async def test_a_peer_of_the_same_process_is_called_without_a_socket(tmp_path: Path) -> None:
    """The others are not; nor is anybody by a process that hosts none of them."""
    w = wiring(tmp_path, "chat_hub", "conversation_manager")
    kinds = [
        type(w.channel("chat_hub", peer)) for peer in ("conversation_manager", "stream_processor")
    ]
    assert kinds == [InProcessChannel, SendingChannel]
    assert type(w.channel("gateway", "chat_hub")) is InProcessChannel
    assert type(wiring(tmp_path).channel("gateway", "chat_hub")) is SendingChannel
    await w.close()


async def test_an_arrow_that_the_topology_lacks_has_no_channel(tmp_path: Path) -> None:
    w = wiring(tmp_path, "chat_hub", "production_memory")
    with pytest.raises(KeyError, match="no arrow"):
        w.channel("chat_hub", "production_memory")


async def test_a_closed_channel_cancels_and_takes_no_more(mesh: Mesh) -> None:
    stub = ConversationManagerServiceStub(
        channel := mesh.channel("chat_hub", "conversation_manager")
    )
    async with channel:
        await channel.channel_ready()
        assert channel.get_state() is grpc.ChannelConnectivity.READY
    with pytest.raises(grpc.aio.UsageError):
        await stub.GetConversation(GetConversationRequest(conversation_id=CONVERSATION))


def test_only_what_is_safe_to_repeat_is_repeated(tmp_path: Path) -> None:
    """By gRPC itself, while a peer cannot be reached."""
    wiring(tmp_path)
    (config,) = json.loads(service_config(contract_of("conversation_manager")))["methodConfig"]
    names = {name["method"] for name in config["name"]}
    assert "GetConversation" in names
    assert config["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
