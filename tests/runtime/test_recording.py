"""What stands in the logs of a call: who and what for the audit, and never what is secret."""

import logging
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor
from structlog.testing import capture_logs

from kari.conversation_manager.v1.conversation_manager_pb2 import UpdateConversationRequest
from kari.conversation_models.v1.conversation_pb2 import ConversationChange, PersonaChange
from kari.identity.v1.identity_pb2 import LoginRequest
from servers import topology
from servers.runtime.redaction import HIDDEN, redacted
from tests.runtime.mesh import CONVERSATION, Mesh, get_conversation

SECRET = ("content", "password", "access_token", "refresh_token", "system_instructions", "title")


def audits(logs: list[Any]) -> list[tuple[str, str]]:
    """Method and outcome of the lines of the audit."""
    return [
        (line["method"].rpartition("/")[2], line["outcome"])
        for line in logs
        if line["event"] == "audit"
    ]


async def test_a_refused_call_is_on_the_record(mesh: Mesh) -> None:
    stub = await mesh.user_stub()
    with capture_logs() as logs, pytest.raises(grpc.aio.AioRpcError):
        await stub.GetConversation(get_conversation())
    assert audits(logs) == [("GetConversation", "refused")]


async def test_an_admitted_read_is_not(mesh: Mesh) -> None:
    """Its contract asks for refusals only."""
    stub = await mesh.user_stub()
    with capture_logs() as logs:
        await stub.GetConversation(get_conversation(), metadata=mesh.as_user())
    assert audits(logs) == []


async def test_an_admitted_change_is_with_who_did_it(mesh: Mesh) -> None:
    """Its contract asks for every call; content is not in the line."""
    change = ConversationChange(title="a private title")
    request = UpdateConversationRequest(
        conversation_id=CONVERSATION, request_id="r", changes=[change]
    )
    stub = await mesh.manager_stub()
    metadata = (*mesh.as_user(sub="user_7"), *mesh.as_server("chat_hub"))
    with capture_logs() as logs:
        await stub.UpdateConversation(request, metadata=metadata)
    (line,) = [line for line in logs if line["event"] == "audit"]
    assert (line["user"], line["caller"], line["outcome"]) == ("user_7", "chat_hub", "done")
    assert "private" not in str(line)


@pytest.fixture
def debugging() -> Iterator[None]:
    """The log of calls at its most talkative."""
    logger = logging.getLogger("kari.calls")
    logger.setLevel(logging.DEBUG)
    yield
    logger.setLevel(logging.NOTSET)


@pytest.mark.usefixtures("debugging")
async def test_a_recorded_request_hides_what_is_secret(mesh: Mesh) -> None:
    change = ConversationChange(system_instructions="my innermost")
    request = UpdateConversationRequest(
        conversation_id=CONVERSATION, request_id="r", changes=[change]
    )
    stub = await mesh.manager_stub()
    metadata = (*mesh.as_user("chat.user", "chat.config.edit"), *mesh.as_server("chat_hub"))
    with capture_logs() as logs:
        await stub.UpdateConversation(request, metadata=metadata)
    (line,) = [line for line in logs if line["event"] == "call"]
    assert line["request"]["conversation_id"] == CONVERSATION
    assert line["request"]["changes"] == [{"system_instructions": HIDDEN}]


def test_secrets_are_hidden_at_any_depth() -> None:
    persona = PersonaChange()
    persona.persona.name = "pirate"
    shown = redacted(ConversationChange(persona=persona))
    assert shown == {"persona": {"persona": {"name": "pirate"}}}
    assert redacted(LoginRequest(name="demo", password="secret"))["password"] == HIDDEN


def messages() -> Iterator[Descriptor]:
    """Every message of every contract."""
    names = [f"kari.{n.name}.v1.{n.name}_pb2" for n in topology.SERVERS]
    names += [
        f"kari.conversation_models.v1.{n}_pb2" for n in ("context", "conversation", "message")
    ]
    for name in names:
        yield from import_module(name).DESCRIPTOR.message_types_by_name.values()


@pytest.mark.parametrize("message", list(messages()), ids=lambda message: message.full_name)
def test_the_contract_marks_what_is_secret(message: Descriptor) -> None:
    """What people write, and what lets somebody in."""
    for field in message.fields:
        if field.name in SECRET:
            assert field.GetOptions().debug_redact, field.full_name
