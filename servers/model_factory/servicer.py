"""Model factory over gRPC: translates only."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from kari.model_factory.v1.model_factory_pb2 import (
    Embedding,
    EmbedRequest,
    EmbedResponse,
    GenerateRequest,
    GenerateResponse,
    ListModelsRequest,
    ListModelsResponse,
    SelectModelRequest,
    SelectModelResponse,
)
from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceServicer
from servers.model_factory.embedder import MODEL_ID
from servers.model_factory.factory import ModelFactory
from servers.model_factory.prompting import Wanted
from servers.model_factory.responses import response
from servers.model_factory.routing import Wish
from servers.runtime.call import current, principal
from servers.runtime.grpc_types import Context

TEMPERATURE = 0.7


class ModelFactoryServicer(ModelFactoryServiceServicer):
    """Every model of every provider."""

    def __init__(self, factory: ModelFactory) -> None:
        self._factory = factory

    async def ListModels(self, request: ListModelsRequest, context: Context) -> ListModelsResponse:
        """The models that are configured; see the contract."""
        models, token = self._factory.page(request.page_size, request.page_token)
        return ListModelsResponse(models=models, next_page_token=token)

    async def SelectModel(
        self, request: SelectModelRequest, context: Context
    ) -> SelectModelResponse:
        """Chooses a model; see the contract."""
        wish = Wish(request.override, request.mode, request.content)
        return SelectModelResponse(selection=self._factory.select(wish, principal()))

    async def Generate(
        self, request: GenerateRequest, context: Context
    ) -> AsyncIterator[GenerateResponse]:
        """Streams an answer; see the contract."""
        temperature = request.temperature if request.HasField("temperature") else TEMPERATURE
        wanted = Wanted(request.messages, request.max_tokens, temperature, request.tools)
        answer = self._factory.generate(request.model, request.fallback_model_ids, wanted)
        async with aclosing(answer) as steps:
            async for step in steps:
                yield response(step, current().correlation_id)

    async def Embed(self, request: EmbedRequest, context: Context) -> EmbedResponse:
        """Vectors of texts; see the contract."""
        vectors = await self._factory.embed(request.texts)
        return EmbedResponse(embeddings=[Embedding(values=v) for v in vectors], model=MODEL_ID)
