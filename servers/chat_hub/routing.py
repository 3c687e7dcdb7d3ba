"""Where a message goes. Pure."""

import hashlib

from kari.chat_hub.v1.chat_hub_pb2 import Destination

TITLE_CHARACTERS = 60


def route(content: str) -> Destination.ValueType:
    """Where a text goes: nowhere if there is nothing in it, to the instruction processor if its
    first line that is not blank starts with a slash, else to the orchestrator."""
    if not content.strip():
        return Destination.DESTINATION_DISCARD
    if content.lstrip("\r\n").startswith("/"):
        return Destination.DESTINATION_INSTRUCTION_PROCESSOR
    return Destination.DESTINATION_ORCHESTRATOR


def title_of(content: str) -> str:
    """A title for the conversation that a text begins: its first line that is no command, cut at a
    word. Empty if there is none."""
    lines = (" ".join(line.split()) for line in content.splitlines() if line[:1] != "/")
    first = next(filter(None, lines), "")
    if len(first) <= TITLE_CHARACTERS:
        return first
    head = first[:TITLE_CHARACTERS]
    cut = head if first[TITLE_CHARACTERS] == " " else head.rpartition(" ")[0]
    return f"{(cut or head[:-1]).rstrip()}…"


def conversation_request_id(request_id: str) -> str:
    """Id of the request that creates the conversation of a message, the same whenever the message
    is sent again."""
    return hashlib.sha256(f"conversation\n{request_id}".encode()).hexdigest()
