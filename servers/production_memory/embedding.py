"""Vectors of many texts, from the model factory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc

from kari.model_factory.v1.model_factory_pb2 import EmbedRequest
from servers.runtime.errors import from_rpc

if TYPE_CHECKING:
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub

SECONDS = 30.0
MOST_TEXTS = 16
"""Texts of one call. A long one can take a second of a busy machine: a call has twice their time,
and what fails costs little to do again."""


async def vectors_of(
    models: "ModelFactoryServiceAsyncStub", texts: Sequence[str]
) -> list[Sequence[float]]:
    """The vectors of texts, in order; KariError if the model factory is away."""
    found = list[Sequence[float]]()
    for first in range(0, len(texts), MOST_TEXTS):
        request = EmbedRequest(texts=texts[first : first + MOST_TEXTS])
        try:
            response = await models.Embed(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        found += [embedding.values for embedding in response.embeddings]
    return found
