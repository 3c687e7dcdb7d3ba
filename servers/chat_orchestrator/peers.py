"""The peers of the orchestrator, and patience with them."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import grpc

from servers.runtime.audit_trail import AuditTrail
from servers.runtime.errors import from_rpc

if TYPE_CHECKING:
    from kari.context_integrator.v1.context_integrator_pb2_grpc import (
        ContextIntegratorServiceAsyncStub,
    )
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub
    from kari.multimedia.v1.multimedia_pb2_grpc import MultimediaServiceAsyncStub
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )
    from kari.stream_processor.v1.stream_processor_pb2_grpc import StreamProcessorServiceAsyncStub
    from kari.tool_integration.v1.tool_integration_pb2_grpc import ToolIntegrationServiceAsyncStub

T = TypeVar("T")

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0


@dataclass(frozen=True)
class Peers:
    """Stubs of everything that a turn needs, and the way to the audit trail."""

    conversations: "ConversationManagerServiceAsyncStub"
    context: "ContextIntegratorServiceAsyncStub"
    memory: "ProductionMemoryServiceAsyncStub"
    models: "ModelFactoryServiceAsyncStub"
    streams: "StreamProcessorServiceAsyncStub"
    tools: "ToolIntegrationServiceAsyncStub"
    media: "MultimediaServiceAsyncStub"
    trail: AuditTrail


async def patiently(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Makes a call again, with growing pauses and full jitter, while its error says that it may
    succeed later, for at most `seconds`. Raises the last error as one of ours."""
    give_up = asyncio.get_running_loop().time() + seconds
    pause = FIRST_PAUSE
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as failure:
            error = from_rpc(failure)
            if not error.may_retry or asyncio.get_running_loop().time() + pause > give_up:
                raise error from failure
        await asyncio.sleep(random.uniform(0, pause))  # noqa: S311  # jitter is no secret
        pause = min(pause * 2, LONGEST_PAUSE)
