"""Loading conversations into a running mesh, through the write path that everybody uses."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg
from google.protobuf.timestamp_pb2 import Timestamp

from kari.chat_hub.v1.chat_hub_pb2 import CreateConversationRequest
from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceStub
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.production_memory.v1 import production_memory_pb2_grpc
from kari.production_memory.v1.production_memory_pb2 import (
    ImportedMessage,
    ImportMessagesRequest,
)
from servers.runtime.access_tokens import AccessTokens
from servers.runtime.call import Call, acting, principal
from servers.runtime.channels import Channels
from servers.runtime.ids import new_correlation_id, new_id
from servers.runtime.keys import key_files, mesh_key
from servers.runtime.mesh_key import OPERATOR
from servers.runtime.settings import Settings
from servers.wiring import contract_of
from tests.eval import filler
from tests.eval.conversations import Conversation, Said
from tests.running import Kari
from tests.socket_client import login

if TYPE_CHECKING:
    from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceAsyncStub
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

MOST_MESSAGES = 500
"""Of one import, and of a conversation of filler."""
LOOK_SECONDS = 3.0
FILLER_BEGINS = datetime(2020, 1, 1, tzinfo=UTC)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Loaded:
    """A conversation in the mesh, and which message is which turn."""

    conversation: Conversation
    id: str
    turn_of: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Client:
    """The demo user's stubs of a running Kari."""

    hub: "ChatHubServiceAsyncStub"
    memory: "ProductionMemoryServiceAsyncStub"
    postgres: asyncpg.Connection

    @classmethod
    @asynccontextmanager
    async def of(cls, kari: Kari) -> AsyncIterator["Client"]:
        """Signed in; everything inside acts as that user, through servers that prove who they
        are."""
        files = key_files(Settings(data=kari.data))
        user = AccessTokens(files.jwks).verify(await login(kari))
        peers = frozenset({"chat_hub", "production_memory"})
        channels = Channels(OPERATOR, peers, kari.address, mesh_key(files.mesh))
        url = next(
            found
            for process in kari.processes()
            if (found := process.environ().get("KARI_POSTGRES_URL"))
        )
        connection = await asyncpg.connect(url)
        with acting(Call(new_correlation_id(), principal=user)):
            yield cls(
                ChatHubServiceStub(channels.to("chat_hub", contract_of("chat_hub"))),
                production_memory_pb2_grpc.ProductionMemoryServiceStub(
                    channels.to("production_memory", contract_of("production_memory"))
                ),
                connection,
            )
        await connection.close()
        await channels.close()

    async def load(self, conversation: Conversation) -> Loaded:
        """A conversation of the user's with these turns: the first speaker's are a user's, all
        others' the assistant's."""
        loaded = Loaded(conversation, await self._begin())
        first = conversation.turns[0].speaker if conversation.turns else ""
        for place, turns in enumerate(_parts(conversation.turns)):
            response = await self.memory.ImportMessages(
                ImportMessagesRequest(
                    conversation_id=loaded.id,
                    request_id=f"{conversation.id}-{place}",
                    messages=[_message(turn, first) for turn in turns],
                )
            )
            ids = (turn.id for turn in turns)
            loaded.turn_of.update(zip(response.message_ids, ids, strict=True))
        return loaded

    async def fill(self, count: int, say: Say) -> list[Loaded]:
        """So many messages that mean nothing, in conversations of their own."""
        said = [
            Said(str(place), who, text, FILLER_BEGINS + timedelta(minutes=place))
            for place, (who, text) in enumerate(filler.lines(count))
        ]
        began, loaded = time.monotonic(), list[Loaded]()
        for place, turns in enumerate(_parts(said), 1):
            loaded.append(await self.load(Conversation(new_id("filler"), turns, ())))
            if place % 20 == 0:
                done = place * MOST_MESSAGES
                say(f"  {done:,} of {count:,} filler messages, {time.monotonic() - began:.0f} s")
        return loaded

    async def drop_jobs(self) -> int:
        """Takes all waiting jobs out of the queue; gives their number."""
        dropped = await self.postgres.execute("DELETE FROM production_memory.pgqueuer")
        return int(dropped.rpartition(" ")[2])

    async def put_off_summaries(self) -> None:
        """No conversation that there is now is summarized any more."""
        tenant_id = principal().tenant_id
        await self.postgres.execute("SELECT set_config('kari.tenant', $1, false)", tenant_id)
        await self.postgres.execute(
            "UPDATE production_memory.threads SET summary_look_at = 'infinity'"
        )

    async def indexed(self, say: Say) -> None:
        """Returns when no job waits any more."""
        began = time.monotonic()
        while left := await self.postgres.fetchval(
            "SELECT count(*) FROM production_memory.pgqueuer"
        ):
            say(f"  {left} jobs of up to 50 messages left, {time.monotonic() - began:.0f} s")
            await asyncio.sleep(LOOK_SECONDS)

    async def _begin(self) -> str:
        request = CreateConversationRequest(request_id=new_id("req"))
        return (await self.hub.CreateConversation(request)).conversation.id


def _message(turn: Said, first: str) -> ImportedMessage:
    at = Timestamp()
    at.FromDatetime(turn.at)
    mine = turn.speaker == first
    role = MessageRole.MESSAGE_ROLE_USER if mine else MessageRole.MESSAGE_ROLE_ASSISTANT
    return ImportedMessage(role=role, content=turn.text, timestamp=at, author=turn.speaker)


def _parts(turns: Sequence[Said]) -> Iterator[Sequence[Said]]:
    for first in range(0, len(turns), MOST_MESSAGES):
        yield turns[first : first + MOST_MESSAGES]
