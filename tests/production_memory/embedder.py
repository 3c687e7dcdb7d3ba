"""A model factory that only embeds, without a model: the same text gives the same vector."""

import hashlib
from functools import partial

from kari.model_factory.v1 import model_factory_pb2_grpc
from kari.model_factory.v1.model_factory_pb2 import Embedding, EmbedRequest, EmbedResponse
from servers.runtime.bootstrap import Hosted
from servers.runtime.errors import KariError
from servers.runtime.grpc_types import Context
from servers.runtime.milvus import DIMENSIONS
from servers.wiring import contract_of


class Embedder(model_factory_pb2_grpc.ModelFactoryServiceServicer):
    """Says no while `failure` is set, and to texts that contain `refused`. Counts its calls."""

    def __init__(self) -> None:
        self.failure: KariError | None = None
        self.refused = ""
        self.refusal: KariError | None = None
        self.batches: list[int] = []

    async def Embed(  # noqa: N802  # the contract's name
        self, request: EmbedRequest, context: Context
    ) -> EmbedResponse:
        """Vectors of the texts."""
        self.batches.append(len(request.texts))
        if self.failure is not None:
            raise self.failure
        if self.refusal is not None and any(self.refused in text for text in request.texts):
            raise self.refusal
        embeddings = [Embedding(values=values_of(text)) for text in request.texts]
        return EmbedResponse(embeddings=embeddings, model="test")

    def hosted(self) -> Hosted:
        """The servicer, ready to be served."""
        register = model_factory_pb2_grpc.add_ModelFactoryServiceServicer_to_server
        return Hosted("model_factory", contract_of("model_factory"), partial(register, self))


def values_of(text: str) -> list[float]:
    """A unit vector with one 1, at a place that the text decides."""
    place = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % DIMENSIONS
    return [1.0 if index == place else 0.0 for index in range(DIMENSIONS)]
