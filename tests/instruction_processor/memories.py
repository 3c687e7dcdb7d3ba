"""What a conversation manager says of memories, kept in memory: part of a real server."""

# ruff: noqa: N802  # rpc methods are named as the contract names them

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message

from kari.conversation_manager.v1 import conversation_manager_pb2 as pb
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceServicer,
)
from kari.conversation_models.v1.memory_pb2 import (
    ForgetReceipt,
    Memory,
    MemoryScope,
    RememberOutcome,
    StoreErasure,
)
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import principal
from servers.runtime.errors import NotFound
from servers.runtime.grpc_types import Context
from servers.runtime.ids import new_id

M = TypeVar("M", bound=Message)
DOMAIN = MemoryScope.MEMORY_SCOPE_DOMAIN


class ScriptedMemories(ConversationManagerServiceServicer):
    """Memories of users and of the domain: what is known is no news, what is forgotten is gone."""

    def __init__(self) -> None:
        self.memories: dict[str, Memory] = {}
        self.asked: list[Message] = []
        self._owners: dict[str, str] = {}
        self._answers: dict[str, Message] = {}
        self._receipts: dict[str, tuple[str, ForgetReceipt]] = {}

    async def Remember(self, request: pb.RememberRequest, context: Context) -> pb.RememberResponse:
        return self._once(request, lambda: self._remember(request))

    async def ListMemories(
        self, request: pb.ListMemoriesRequest, context: Context
    ) -> pb.ListMemoriesResponse:
        self.asked.append(request)
        owner = _owner(request.scope)
        found = [
            memory
            for memory in reversed(self.memories.values())
            if self._owners[memory.id] == owner
            and (request.include_past or not memory.replaced_by_memory_id)
        ]
        size = request.page_size or 50
        token = "more" if len(found) > size else ""
        return pb.ListMemoriesResponse(memories=found[:size], next_page_token=token)

    async def CorrectMemory(
        self, request: pb.CorrectMemoryRequest, context: Context
    ) -> pb.CorrectMemoryResponse:
        return self._once(request, lambda: self._correct(request))

    async def ForgetMemories(
        self, request: pb.ForgetMemoriesRequest, context: Context
    ) -> pb.ForgetMemoriesResponse:
        return self._once(request, lambda: self._forget(request))

    async def GetForgetReceipt(
        self, request: pb.GetForgetReceiptRequest, context: Context
    ) -> pb.GetForgetReceiptResponse:
        self.asked.append(request)
        owner, receipt = self._receipts.get(request.receipt_id, ("", ForgetReceipt()))
        if owner != principal().user_id:
            raise NotFound(Reason.REASON_RECEIPT_NOT_FOUND, "there is no such receipt among yours")
        return pb.GetForgetReceiptResponse(receipt=receipt)

    def _once(
        self,
        request: pb.RememberRequest | pb.CorrectMemoryRequest | pb.ForgetMemoriesRequest,
        answer: Callable[[], M],
    ) -> M:
        self.asked.append(request)
        if request.request_id not in self._answers:
            self._answers[request.request_id] = answer()
        return self._answers[request.request_id]  # type: ignore[return-value]  # as it was made

    def _remember(self, request: pb.RememberRequest) -> pb.RememberResponse:
        owner = _owner(request.scope)
        for memory in self.memories.values():
            if memory.content == request.content and self._owners[memory.id] == owner:
                outcome = RememberOutcome.REMEMBER_OUTCOME_DUPLICATE
                return pb.RememberResponse(memory=memory, outcome=outcome)
        made = self._keep(owner, request.content)
        return pb.RememberResponse(memory=made, outcome=RememberOutcome.REMEMBER_OUTCOME_STORED)

    def _correct(self, request: pb.CorrectMemoryRequest) -> pb.CorrectMemoryResponse:
        old = self._own(request.memory_id)
        made = self._keep(self._owners[old.id], request.content)
        old.replaced_by_memory_id = made.id
        return pb.CorrectMemoryResponse(memory=made, replaced=old)

    def _forget(self, request: pb.ForgetMemoriesRequest) -> pb.ForgetMemoriesResponse:
        for memory_id in request.memory_ids:
            self._own(memory_id)
        for memory_id in request.memory_ids:
            del self.memories[memory_id]
        erasure = StoreErasure(store="postgres", erased=len(request.memory_ids), done=True)
        receipt = ForgetReceipt(
            id=new_id("rcpt"), memory_ids=request.memory_ids, erasures=[erasure]
        )
        self._receipts[receipt.id] = (principal().user_id, receipt)
        return pb.ForgetMemoriesResponse(receipt=receipt)

    def _keep(self, owner: str, content: str) -> Memory:
        made = Memory(id=new_id("mem"), content=content)
        self.memories[made.id] = made
        self._owners[made.id] = owner
        return made

    def _own(self, memory_id: str) -> Memory:
        if self._owners.get(memory_id) != principal().user_id or memory_id not in self.memories:
            raise NotFound(Reason.REASON_MEMORY_NOT_FOUND, "there is no such memory among yours")
        return self.memories[memory_id]


def _owner(scope: MemoryScope.ValueType) -> str:
    return "" if scope == DOMAIN else principal().user_id
