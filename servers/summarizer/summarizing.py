"""Making a summary: by the model if one is configured and gives one, else of chosen sentences."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import structlog

from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.summary_pb2 import ConversationSummary
from kari.model_factory.v1.model_factory_pb2 import EmbedRequest
from servers.runtime.labelled import labelled
from servers.summarizer.extract import extract
from servers.summarizer.material import Sentence, material
from servers.summarizer.metrics import FALLBACKS, GENERATED, LATENCY
from servers.summarizer.passages import READ_CHARACTERS, Passage, shortened
from servers.summarizer.ranking import Vector, hashed
from servers.summarizer.writing import NotWritten, Writing

if TYPE_CHECKING:
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub

EMBED_AT_ONCE = 16
"""A fifth of a second of the embedder's: whoever searches meanwhile does not wait longer."""
EMBED_SECONDS = 30.0
TEXT = "text"
"""The kind of a summary that is kept nowhere."""

log = structlog.get_logger("kari.summarizer")


@dataclass(frozen=True)
class Made:
    """A summary without id, conversation and range, and what was missing."""

    summary: ConversationSummary
    degradations: Sequence[Degradation] = ()


class Summarizing:
    """Makes summaries; `writing` is None where no model is configured."""

    def __init__(self, models: "ModelFactoryServiceAsyncStub", writing: Writing | None) -> None:
        self._models = models
        self._writing = writing

    async def make(self, passages: Sequence[Passage], kind: str) -> ConversationSummary:
        """A summary to keep. AioRpcError if there is neither a model nor an embedder: what is kept
        is not made of less."""
        began = time.perf_counter()
        if (written := await self._written(passages)) is not None:
            return _counted(written, kind, began)
        told = await asyncio.to_thread(material, passages)
        vectors = await self._vectors(told)
        return _counted(await asyncio.to_thread(extract, told, vectors), kind, began)

    async def of_text(self, passages: Sequence[Passage], *, extractive: bool) -> Made:
        """A summary that is not kept. Without an embedder sentences are compared by their words,
        and that is said, as is a model that gave none."""
        began, missing = time.perf_counter(), list[Degradation]()
        if self._writing is not None and not extractive:
            if (written := await self._written(passages)) is not None:
                return Made(_counted(written, TEXT, began))
            missing.append(_missing(Feature.FEATURE_CHOSEN_MODEL, self._writing.model))
        told = await asyncio.to_thread(material, shortened(passages, READ_CHARACTERS))
        try:
            vectors = await self._vectors(told)
        except grpc.aio.AioRpcError as error:
            log.warning("sentences are compared by words", error=error.code().name)
            missing.append(_missing(Feature.FEATURE_SEMANTIC_RECALL, "model_factory"))
            vectors = [hashed(each.text) for each in told]
        summary = await asyncio.to_thread(extract, told, vectors)
        return Made(_counted(summary, TEXT, began), missing)

    async def _written(self, passages: Sequence[Passage]) -> ConversationSummary | None:
        """The model's summary; None if there is no model or it gave none."""
        if self._writing is None:
            return None
        try:
            return await self._writing.write(passages)
        except NotWritten as error:
            labelled(FALLBACKS, str(error)).inc()
            log.warning("the model gave no summary", model=self._writing.model, cause=str(error))
            return None

    async def _vectors(self, told: Sequence[Sentence]) -> list[Vector]:
        found = list[Vector]()
        for first in range(0, len(told), EMBED_AT_ONCE):
            texts = [each.text for each in told[first : first + EMBED_AT_ONCE]]
            response = await self._models.Embed(EmbedRequest(texts=texts), timeout=EMBED_SECONDS)
            found += [embedding.values for embedding in response.embeddings]
        return found


def _counted(summary: ConversationSummary, kind: str, began: float) -> ConversationSummary:
    way = "model" if summary.model_used else "extractive"
    labelled(GENERATED, kind, way).inc()
    labelled(LATENCY, kind, way).observe(time.perf_counter() - began)
    return summary


def _missing(feature: Feature.ValueType, cause: str) -> Degradation:
    return Degradation(feature=feature, cause=cause)
