"""`kari explain`: what an answer was made from."""

import asyncio
import sys
from collections.abc import Iterable

import grpc
from rich.console import Console
from rich.table import Table

from cli.mesh import NotRunning, connected
from kari.chat_hub.v1.chat_hub_pb2 import GetTurnManifestRequest, GetTurnManifestResponse
from kari.conversation_models.v1.context_pb2 import ContextCandidate, ContextSource, ContextVerdict
from servers.runtime.errors import from_rpc
from servers.runtime.names import short
from servers.runtime.settings import read_settings


def run(turn_id: str, user: str, tenant: str) -> int:
    """Prints the manifest of a turn; gives the exit code."""
    try:
        found = asyncio.run(_manifest(turn_id, user, tenant))
    except NotRunning as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except grpc.aio.AioRpcError as error:
        sys.stderr.write(f"{from_rpc(error).message}\n")
        return 1
    if not found.HasField("manifest"):
        sys.stderr.write("this turn has no manifest: it ended before its context was made\n")
        return 1
    _print(found)
    return 0


def rows(candidates: Iterable[ContextCandidate]) -> list[tuple[str, ...]]:
    """What became of each candidate, in the order in which they were looked at: source, score,
    tokens, verdict, id of the message."""
    return [
        (
            short(ContextSource, each.source),
            f"{each.score:.3f}",
            str(each.tokens),
            short(ContextVerdict, each.verdict).replace("_", " "),
            each.message_id,
        )
        for each in candidates
    ]


async def _manifest(turn_id: str, user: str, tenant: str) -> GetTurnManifestResponse:
    async with connected(read_settings()) as mesh:
        await mesh.sign_in(user, tenant)
        return await mesh.hub.GetTurnManifest(GetTurnManifestRequest(turn_id=turn_id))


def _print(found: GetTurnManifestResponse) -> None:
    manifest, selection = found.manifest, found.turn.selection
    table = Table("source", "score", "tokens", "verdict", "message", box=None, pad_edge=False)
    for row in rows(manifest.candidates):
        table.add_row(*row)
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    console.print(f"{manifest.tokens} of {manifest.budget_tokens} tokens")
    console.print(f"model {selection.model.id}: {selection.explanation}", markup=False)
    console.print(f"prompt {manifest.prompt_hash}")
