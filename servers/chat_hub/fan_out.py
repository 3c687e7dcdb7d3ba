"""News from whoever makes them to all watchers, in this process and in others.

Watchers here are told directly. Others are reached through Redis, over one connection that listens
for all watchers of the process. While Redis is away, only those here are told, and are told that.
"""

import asyncio
import secrets
from collections.abc import Iterable, Iterator
from contextlib import aclosing, contextmanager

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from kari.chat_hub.v1.chat_hub_pb2 import WatchResponse
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from servers.chat_hub.watcher import Watcher
from servers.runtime.redis import AWAY, tenant_key
from servers.runtime.resources import Resource

PUBLISHED = Counter("kari_chat_fan_out_total", "News told, by how far they went.", ("reach",))
ABSENCES = Counter("kari_chat_fan_out_failures_total", "Times that fan-out lost its connection.")
PATIENCE_SECONDS = 0.5
"""Longest wait of a publisher for Redis."""
IDLE_SECONDS = 1.0
AGAIN_SECONDS = 0.5

MISSING = WatchResponse(degraded=Degradation(feature=Feature.FEATURE_FAN_OUT, cause="redis"))

log = structlog.get_logger("kari.chat_hub")


class FanOut:
    """The watchers of this process and the channel to others."""

    def __init__(self, redis: Resource[Redis]) -> None:
        self._redis = redis
        self._watchers: dict[str, set[Watcher]] = {}
        self._process = secrets.token_hex(8)
        self._listening: PubSub | None = None
        self.away = False

    @property
    def process(self) -> str:
        """Name of this process among the others."""
        return self._process
