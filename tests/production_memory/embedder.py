"""A model factory without a model: the same text gives the same vector, and an answer is the one it
was told to give."""

import hashlib
import math
from collections.abc import AsyncIterator
from functools import partial

from kari.model_factory.v1 import model_factory_pb2_grpc
from kari.model_factory.v1.model_factory_pb2 import (
    Embedding,
    EmbedRequest,
    EmbedResponse,
    Finished,
    GenerateRequest,
    GenerateResponse,
)
from servers.runtime.bootstrap import Hosted
from servers.runtime.errors import KariError
from servers.runtime.grpc_types import Context
from servers.runtime.milvus import DIMENSIONS
from servers.wiring import contract_of


class Embedder(model_factory_pb2_grpc.ModelFactoryServiceServicer):
    """Says no while `failure` is set, and to texts that contain `refused`. Counts its calls, and
    keeps the texts of which it gave vectors. Texts in `similar` have that cosine with the text
    beside it."""

    def __init__(self) -> None:
        self.similar: dict[str, tuple[str, float]] = {}
        self.answer = "[]"
        self.answer_failure: KariError | None = None
        self.prompts: list[GenerateRequest] = []
        self.failure: KariError | None = None
        self.refused = ""
        self.refusal: KariError | None = None
        self.batches: list[int] = []
        self.texts: list[str] = []

    async def Embed(  # noqa: N802  # the contract's name
        self, request: EmbedRequest, context: Context
    ) -> EmbedResponse:
        """Vectors of the texts."""
        self.batches.append(len(request.texts))
        if self.failure is not None:
            raise self.failure
        if self.refusal is not None and any(self.refused in text for text in request.texts):
            raise self.refusal
        self.texts += request.texts
        embeddings = [Embedding(values=self._values(text)) for text in request.texts]
        return EmbedResponse(embeddings=embeddings, model="test")

    async def Generate(  # noqa: N802  # the contract's name
        self, request: GenerateRequest, context: Context
    ) -> AsyncIterator[GenerateResponse]:
        """The answer, in two pieces."""
        self.prompts.append(request)
        if self.answer_failure is not None:
            raise self.answer_failure
        half = len(self.answer) // 2
        yield GenerateResponse(delta=self.answer[:half])
        yield GenerateResponse(delta=self.answer[half:])
        yield GenerateResponse(finished=Finished())

    def _values(self, text: str) -> list[float]:
        other, cosine = self.similar.get(text, (text, 1.0))
        own, wanted = values_of(text), values_of(other)
        rest = math.sqrt(1 - cosine**2)
        return [cosine * w + rest * o for w, o in zip(wanted, own, strict=True)]

    def hosted(self) -> Hosted:
        """The servicer, ready to be served."""
        register = model_factory_pb2_grpc.add_ModelFactoryServiceServicer_to_server
        return Hosted("model_factory", contract_of("model_factory"), partial(register, self))


def values_of(text: str) -> list[float]:
    """A unit vector with one 1, at a place that the text decides."""
    place = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % DIMENSIONS
    return [1.0 if index == place else 0.0 for index in range(DIMENSIONS)]
