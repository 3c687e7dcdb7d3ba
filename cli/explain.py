"""`kari explain`: what an answer was made from."""

import asyncio
import sys
from collections.abc import Iterable

import grpc
from rich.console import Console
from rich.table import Table

from cli.mesh import NotRunning, connected
from kari.chat_hub.v1.chat_hub_pb2 import (
    GetTurnManifestRequest,
    GetTurnManifestResponse,
    ReplayContextRequest,
    ReplayContextResponse,
)
from kari.conversation_models.v1.context_pb2 import (
    ContextCandidate,
    ContextSource,
    ContextVerdict,
    PromptMessage,
)
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.message_pb2 import MessageRole
from servers.runtime.errors import from_rpc
from servers.runtime.names import short
from servers.runtime.settings import read_settings

ID_CHARACTERS = 36
"""Ids of messages and memories, which are shown whole however narrow the terminal is."""


def run(turn_id: str, user: str, tenant: str, *, prompt: bool) -> int:
    """Prints the manifest of a turn, or its prompt as it was; gives the exit code."""
    try:
        found, replayed = asyncio.run(_ask(turn_id, user, tenant, prompt=prompt))
    except NotRunning as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except grpc.aio.AioRpcError as error:
        sys.stderr.write(f"{from_rpc(error).message}\n")
        return 1
    if not found.HasField("manifest"):
        sys.stderr.write("this turn has no manifest: it ended before its context was made\n")
        return 1
    if replayed is not None:
        return _print_prompt(replayed)
    _print(found)
    return 0


def rows(candidates: Iterable[ContextCandidate]) -> list[tuple[str, ...]]:
    """What became of each candidate, in the order in which they were looked at: source, score,
    similarity, tokens, verdict, id of what it is."""
    return [
        (
            short(ContextSource, each.source).replace("_", " "),
            f"{each.score:.3f}",
            f"{each.similarity:.3f}" if each.similarity else "",
            str(each.tokens),
            short(ContextVerdict, each.verdict).replace("_", " "),
            _id(each),
        )
        for each in candidates
    ]


def _id(candidate: ContextCandidate) -> str:
    """Of a piece of a file the file's, and which piece it is, from 1 on."""
    if candidate.file_id:
        return f"{candidate.file_id} piece {candidate.chunk + 1}"
    return candidate.message_id or candidate.memory_id or candidate.summary_id


def missed(degradations: Iterable[Degradation]) -> str:
    """What the answer was made without, in a line; empty if nothing was missing."""
    names = (
        f"{short(Feature, each.feature).replace('_', ' ')} ({each.cause})" for each in degradations
    )
    return ", ".join(names)


def on_a_terminal(text: str) -> str:
    """A text without what would steer the terminal that shows it."""
    return "".join(c for c in text if c in "\n\t" or c.isprintable())


async def _ask(
    turn_id: str, user: str, tenant: str, *, prompt: bool
) -> tuple[GetTurnManifestResponse, ReplayContextResponse | None]:
    async with connected(read_settings()) as mesh:
        await mesh.sign_in(user, tenant)
        found = await mesh.hub.GetTurnManifest(GetTurnManifestRequest(turn_id=turn_id))
        if not prompt:
            return found, None
        return found, await mesh.hub.ReplayContext(ReplayContextRequest(turn_id=turn_id))


def _print(found: GetTurnManifestResponse) -> None:
    manifest, selection = found.manifest, found.turn.selection
    table = Table("source", "score", "similarity", "tokens", "verdict", box=None, pad_edge=False)
    table.add_column("id", min_width=ID_CHARACTERS)
    for row in rows(manifest.candidates):
        table.add_row(*row)
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    console.print(f"{manifest.tokens} of {manifest.budget_tokens} tokens")
    if manifest.pins_left_out:
        console.print(f"pinned messages that did not fit: {manifest.pins_left_out}")
    if without := missed(found.turn.degradations):
        console.print(f"done without: {without}", markup=False)
    console.print(f"model {selection.model.id}: {selection.explanation}", markup=False)
    console.print(f"prompt {manifest.prompt_hash}")


def _print_prompt(replayed: ReplayContextResponse) -> int:
    """The prompt goes to standard output, what is to be said about it to standard error."""
    shown = on_a_terminal if sys.stdout.isatty() else str
    for message in replayed.bundle.messages:
        sys.stdout.write(shown(_said(message)))
    if replayed.identical:
        sys.stderr.write("these are the bytes that the model was given\n")
        return 0
    gone = ", ".join(replayed.missing_ids) or "nothing, but a text is another one by now"
    sys.stderr.write(f"this is not what the model was given; missing: {gone}\n")
    return 1


def _said(message: PromptMessage) -> str:
    return f"[{short(MessageRole, message.role)}]\n{message.content}\n\n"
