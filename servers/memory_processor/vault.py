"""What is remembered of a user, and what is known in their domain: NeuroVault's memories."""

from typing import TYPE_CHECKING

from kari.conversation_models.v1.context_pb2 import MemorySource
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.memory_pb2 import MemoryScope
from kari.production_memory.v1.production_memory_pb2 import RecallMemoriesRequest
from servers.memory_processor.candidates import remembered
from servers.memory_processor.source import Asked, Found

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

MOST = 12
"""Memories of one scope: each is a sentence, and a prompt has room for about as many."""


class Vault:
    """Memories of one scope, the most relevant first."""

    by_meaning = True
    missing = Degradation(feature=Feature.FEATURE_VAULT, cause="production_memory")

    def __init__(
        self,
        kind: MemorySource.ValueType,
        scope: MemoryScope.ValueType,
        production_memory: "ProductionMemoryServiceAsyncStub",
    ) -> None:
        self.kind = kind
        self._scope = scope
        self._production_memory = production_memory

    async def find(self, asked: Asked) -> Found:
        """See the protocol."""
        response = await self._production_memory.RecallMemories(
            RecallMemoriesRequest(query=asked.query, scope=self._scope, limit=MOST)
        )
        return Found(remembered(response.memories, self.kind))


def vaults(production_memory: "ProductionMemoryServiceAsyncStub") -> tuple[Vault, Vault]:
    """The user's memories, and the domain's."""
    return (
        Vault(MemorySource.MEMORY_SOURCE_VAULT, MemoryScope.MEMORY_SCOPE_USER, production_memory),
        Vault(
            MemorySource.MEMORY_SOURCE_DOMAIN, MemoryScope.MEMORY_SCOPE_DOMAIN, production_memory
        ),
    )
