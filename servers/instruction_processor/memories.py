"""What is remembered: stated, corrected, forgotten and listed through the conversation manager."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from kari.conversation_manager.v1.conversation_manager_pb2 import (
    CorrectMemoryRequest,
    ForgetMemoriesRequest,
    ListMemoriesRequest,
    RememberRequest,
)
from kari.conversation_models.v1.memory_pb2 import ForgetReceipt, Memory, MemoryScope
from servers.instruction_processor import memory_replies
from servers.instruction_processor.arguments import ALL, MOST_MEMORIES
from servers.instruction_processor.steps import Step

if TYPE_CHECKING:
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )

SHOWN = 50
"""As many memories are listed; a reply has its limits."""
PAGE = 200


class Memories:
    """Carries out the commands about memories. Repeating one with the same request id changes
    nothing more."""

    def __init__(self, conversations: "ConversationManagerServiceAsyncStub") -> None:
        self._conversations = conversations

    async def apply(self, step: Step, request_id: str) -> str:
        """Takes a step; gives what is said about it, in Markdown."""
        given = step.instruction.parameters
        match step.command.name:
            case "correct":
                return await self._correct(given["memory"], given["text"], request_id)
            case "forget":
                return await self._forget(given["memories"], request_id)
            case "teach":
                return await self._remember(given["text"], request_id, DOMAIN)
            case _:
                return await self._remember(given["text"], request_id, USER)

    async def listed(self, step: Step) -> str:
        """What is remembered, the latest first."""
        which = step.instruction.parameters.get("which", "")
        response = await self._conversations.ListMemories(
            ListMemoriesRequest(
                scope=DOMAIN if which == "domain" else USER,
                include_past=which == "past",
                page_size=SHOWN,
            )
        )
        return memory_replies.listed(response.memories, more=bool(response.next_page_token))

    async def _remember(self, text: str, request_id: str, scope: MemoryScope.ValueType) -> str:
        response = await self._conversations.Remember(
            RememberRequest(request_id=request_id, content=text, scope=scope)
        )
        return memory_replies.remembered(response)

    async def _correct(self, memory_id: str, text: str, request_id: str) -> str:
        response = await self._conversations.CorrectMemory(
            CorrectMemoryRequest(request_id=request_id, memory_id=memory_id, content=text)
        )
        return memory_replies.corrected(response)

    async def _forget(self, memories: str, request_id: str) -> str:
        if memories != ALL:
            return memory_replies.forgotten([await self._erase(memories.split(), request_id)])
        receipts = [
            await self._erase([memory.id for memory in page], request_id)
            async for page in self._all_memories()
        ]
        return memory_replies.forgotten(receipts)

    async def _erase(self, ids: Sequence[str], request_id: str) -> ForgetReceipt:
        """The id of a part of a request says which part it is: asked again, another part may be the
        first that is left."""
        part = hashlib.sha256("\n".join([request_id, *ids]).encode()).hexdigest()
        response = await self._conversations.ForgetMemories(
            ForgetMemoriesRequest(request_id=part, memory_ids=ids)
        )
        return response.receipt

    async def _all_memories(self) -> AsyncIterator[Sequence[Memory]]:
        """The user's memories that are left, part by part; each part is gone before the next is
        looked for."""
        before = set[str]()
        while True:
            response = await self._conversations.ListMemories(
                ListMemoriesRequest(scope=USER, include_past=True, page_size=MOST_MEMORIES)
            )
            left = [memory for memory in response.memories if memory.id not in before]
            if not left:
                return
            before |= {memory.id for memory in left}
            yield left


USER = MemoryScope.MEMORY_SCOPE_USER
DOMAIN = MemoryScope.MEMORY_SCOPE_DOMAIN
