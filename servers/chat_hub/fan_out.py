"""News from whoever makes them to all watchers, in this process and in others.

Watchers here are told directly. Others are reached through Redis, over one connection that listens
for all watchers of a process. While Redis is away only those here are told, and that too.
"""

import asyncio
import secrets
from collections.abc import Iterable
from typing import Any

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from kari.chat_hub.v1.chat_hub_pb2 import WatchResponse
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from servers.chat_hub.board import Board
from servers.runtime.labelled import labelled
from servers.runtime.redis import AWAY
from servers.runtime.resources import Resource

PUBLISHED = Counter(
    "kari_chat_fan_out_total", "News told, to `all` processes or this `process` alone.", ("reach",)
)
ABSENCES = Counter("kari_chat_fan_out_failures_total", "Times that the connection was lost.")
PATIENCE_SECONDS = 0.5
"""Longest wait of whoever has news for Redis."""
IDLE_SECONDS = 1.0
"""How often a connection without news is asked whether it lives."""
AGAIN_SECONDS = 0.5

MISSING = WatchResponse(degraded=Degradation(feature=Feature.FEATURE_FAN_OUT, cause="redis"))

log = structlog.get_logger("kari.chat_hub")


class FanOut:
    """Tells watchers wherever they are. `process` is this process's name among the others."""

    def __init__(self, redis: Resource[Redis], board: Board) -> None:
        self._redis = redis
        self._board = board
        self._listening: PubSub | None = None
        self.process = secrets.token_hex(8)
        self.away = False

    async def publish(self, channel: str, event: WatchResponse) -> None:
        """Tells all watchers of a channel. Never fails: whoever has news has done its work."""
        self._board.put(channel, event)
        reached = not self.away and await self._publish_to_others(channel, event)
        labelled(PUBLISHED, "all" if reached else "process").inc()

    async def listen_to(self, channels: Iterable[str]) -> None:
        """Listens to channels of which news are wanted from now on."""
        try:
            if self._listening is not None:
                await self._listening.subscribe(*channels)
        except AWAY as error:
            self.lost(error)

    async def listen(self) -> None:
        """Takes in, for ever, what other processes publish."""
        while True:
            try:
                await self._session(await self._redis.get())
            except AWAY as error:
                self.lost(error)
            await asyncio.sleep(AGAIN_SECONDS)

    def lost(self, error: Exception) -> None:
        """Notes that Redis is away, and tells the watchers once."""
        if not self.away:
            ABSENCES.inc()
            log.warning("fan-out is away", error=type(error).__name__)
            self._board.put_everywhere(MISSING)
        self.away = True

    async def _publish_to_others(self, channel: str, event: WatchResponse) -> bool:
        message = self.process.encode() + event.SerializeToString()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await (await self._redis.get()).publish(channel, message)
        except AWAY as error:
            self.lost(error)
            return False
        return True

    async def _session(self, redis: Redis) -> None:
        """Listens over one connection until it breaks. What is published before the next one is
        lost, so it has to break loudly instead of being mended on the quiet."""
        async with redis.pubsub(ignore_subscribe_messages=True) as listening:
            await listening.subscribe(f"kari:process:{self.process}", *self._board.channels)
            listening.connection.retry = Retry(NoBackoff(), 0)
            self._listening = listening
            self.away = False
            try:
                while True:
                    await self._step(redis, listening)
            finally:
                self._listening = None

    async def _step(self, redis: Redis, listening: PubSub) -> None:
        message = await listening.get_message(timeout=IDLE_SECONDS)
        if message is not None:
            self._take_in(message)
            return
        async with asyncio.timeout(IDLE_SECONDS):
            await redis.ping()
        unwatched = [c for c in _names(listening) if c not in self._board.channels]
        if unwatched:
            await listening.unsubscribe(*unwatched)

    def _take_in(self, message: Any) -> None:
        origin, payload = message["data"][:16], message["data"][16:]
        if origin != self.process.encode():
            self._board.put(message["channel"].decode(), WatchResponse.FromString(payload))


def _names(listening: PubSub) -> list[str]:
    """Channels of conversations that a connection listens to."""
    names = (name.decode() for name in listening.channels)
    return [name for name in names if not name.startswith("kari:process:")]
