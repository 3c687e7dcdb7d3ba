"""A summarizer among its peers, and somebody who talks."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kari.conversation_models.v1.summary_pb2 import ConversationSummary, SummaryKind
from kari.production_memory.v1 import production_memory_pb2 as contract
from kari.summarizer.v1.summarizer_pb2 import Passage, SummarizeRequest, SummarizeResponse
from kari.summarizer.v1.summarizer_pb2_grpc import SummarizerServiceStub
from servers.runtime.channels import Channels
from servers.runtime.ids import new_id
from servers.runtime.mesh_key import OPERATOR
from servers.wiring import Wiring, contract_of
from tests.hosting import Somebody, until
from tests.production_memory.embedder import Embedder
from tests.production_memory.importing import FIRST, import_lines
from tests.production_memory.memory import Memory
from tests.production_memory.summarized import listed

if TYPE_CHECKING:
    from kari.summarizer.v1.summarizer_pb2_grpc import SummarizerServiceAsyncStub

NAME = "summarizer"
ROLLING, EPISODIC = SummaryKind.SUMMARY_KIND_ROLLING, SummaryKind.SUMMARY_KIND_EPISODIC


@dataclass
class Study:
    """The servers, and somebody with a conversation of their own."""

    wiring: Wiring
    somebody: Somebody = field(default_factory=Somebody)
    conversation_id: str = field(default_factory=lambda: new_id("conv"))

    def as_somebody(self) -> "Study":
        """The same servers in the hands of somebody else."""
        return replace(self, somebody=Somebody(), conversation_id=new_id("conv"))

    @property
    def memory(self) -> Memory:
        """The production memory beside it."""
        return Memory(self.wiring, Embedder(), self.somebody, self.conversation_id)

    async def talk(self, *exchanges: tuple[str, str]) -> None:
        """Turns, one after the other."""
        for question, answer in exchanges:
            await self.memory.exchange(question, answer)

    async def take_in(self, lines: Sequence[str], first: datetime = FIRST) -> None:
        """Lines such as `Ada: hello`, said a minute apart."""
        await import_lines(self.memory, lines, first)

    async def summaries(self, count: int, kind: SummaryKind.ValueType) -> list[ConversationSummary]:
        """The first so many summaries of a kind, in order, once there are so many."""

        async def enough() -> list[ConversationSummary]:
            found = (await listed(self.memory, kind=kind, page_size=200)).summaries
            return list(found)[::-1] if len(found) >= count else []

        return await until(enough, 60)

    async def summarize(self, *said: tuple[str, str], **fields: Any) -> SummarizeResponse:
        """What is made of texts, with their speakers."""
        passages = [Passage(speaker=speaker, text=text) for speaker, text in said]
        return await self._stub.Summarize(SummarizeRequest(passages=passages, **fields))

    async def messages(self) -> list[str]:
        """The ids of all messages, in order."""
        page = await self.memory.messages(page_size=200)
        return [message.id for message in page.messages][::-1]

    async def read(self, *ids: str) -> contract.GetSummariesResponse:
        """Summaries by id."""
        return await self.memory.stub.GetSummaries(contract.GetSummariesRequest(summary_ids=ids))

    async def close(self) -> None:
        """Closes the channel."""
        await self.channels.close()

    @cached_property
    def channels(self) -> Channels:
        """As an operator calls: no server of the mesh asks it for anything yet."""
        return Channels(OPERATOR, frozenset({NAME}), self.wiring.address_of, self.wiring.mesh_key)

    @property
    def _stub(self) -> "SummarizerServiceAsyncStub":
        return SummarizerServiceStub(self.channels.to(NAME, contract_of(NAME)))
