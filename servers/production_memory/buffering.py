"""Passing committed messages on to the session buffer. What is lost here, Postgres still has."""

import asyncio
from collections.abc import Sequence

import structlog

from kari.conversation_models.v1.message_pb2 import Message
from servers.production_memory.writes import WRITES
from servers.runtime.labelled import labelled
from servers.runtime.redis import AWAY
from servers.runtime.session_buffer import SessionBuffer

PATIENCE_SECONDS = 0.25

log = structlog.get_logger("kari.production_memory")


class Buffering:
    """Writes the buffer, or says that it could not. Never fails, never takes long."""

    def __init__(self, buffer: SessionBuffer, patience: float = PATIENCE_SECONDS) -> None:
        self._buffer = buffer
        self._patience = patience

    async def keep(self, tenant_id: str, messages: Sequence[Message]) -> None:
        """Adds messages of one conversation."""
        if not messages:
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._buffer.write(tenant_id, messages[0].conversation_id, messages)
        except (*AWAY, LookupError) as error:  # LookupError: no Redis is configured
            labelled(WRITES, "session_buffer", "unavailable").inc(len(messages))
            log.warning("session buffer is away", error=type(error).__name__)
        else:
            labelled(WRITES, "session_buffer", "written").inc(len(messages))
