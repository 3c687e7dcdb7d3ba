"""A model factory whose answers are chosen by the message."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

from kari.conversation_models.v1.model_pb2 import FinishReason, Model, ModelSelection, Usage
from kari.conversation_models.v1.tool_pb2 import ToolCall
from kari.errors.v1.errors_pb2 import Reason
from kari.model_factory.v1.model_factory_pb2 import (
    Embedding,
    EmbedRequest,
    EmbedResponse,
    Finished,
    GenerateRequest,
    GenerateResponse,
    SelectModelRequest,
    SelectModelResponse,
    Started,
)
from kari.model_factory.v1.model_factory_pb2_grpc import (
    ModelFactoryServiceServicer,
    add_ModelFactoryServiceServicer_to_server,
)
from servers.runtime.bootstrap import Hosted
from servers.runtime.call import principal
from servers.runtime.errors import Unavailable
from servers.runtime.ids import new_id
from servers.wiring import contract_of

CALLER = Model(
    id="scripted/caller",
    provider="scripted",
    context_window=8192,
    max_output_tokens=512,
    calls_tools=True,
)
MODEL = Model(id="scripted/one", provider="scripted", context_window=8192, max_output_tokens=512)


def call(tool_id: str, /, **arguments: object) -> ToolCall:
    """A call as a model asks for it."""
    return ToolCall(id=new_id("call"), tool_id=tool_id, arguments_json=json.dumps(arguments))


class ScriptedModels(ModelFactoryServiceServicer):  # type: ignore[misc]
    """`answer` by default; the message may ask for something else by its first word."""

    def __init__(self) -> None:
        self.requests: list[GenerateRequest] = []
        self.model = MODEL
        self.tenant_id = ""
        """Whose requests are kept and play the rounds. Turns of others that a test left behind are
        taken over by whoever looks first, and get a plain answer."""
        self.rounds: list[list[str | ToolCall]] = []
        """What is answered to one request after the other, the last for ever."""
        self.cancelled = 0
        self.release = asyncio.Event()

    def hosted(self) -> Hosted:
        """To be served beside the servers of a test."""
        register = partial(add_ModelFactoryServiceServicer_to_server, self)
        return Hosted("model_factory", contract_of("model_factory"), register)

    async def SelectModel(  # noqa: N802  # the contract's name
        self, request: SelectModelRequest, context: Any
    ) -> SelectModelResponse:
        """The one model."""
        return SelectModelResponse(selection=ModelSelection(model=self.model))

    async def Embed(self, request: EmbedRequest, context: Any) -> EmbedResponse:  # noqa: N802
        """Vectors of the right length."""
        vector = Embedding(values=[1.0] + [0.0] * 383)
        return EmbedResponse(embeddings=[vector] * len(request.texts), model="scripted")

    async def Generate(  # noqa: N802
        self, request: GenerateRequest, context: Any
    ) -> AsyncIterator[GenerateResponse]:
        """Plays the script that the message asks for."""
        if principal().tenant_id != self.tenant_id:
            yield GenerateResponse(delta="Hello")
            yield GenerateResponse(finished=Finished(reason=FinishReason.FINISH_REASON_STOP))
            return
        self.requests.append(request)
        if self.rounds:
            for step in self._round():
                yield step
            return
        script = request.messages[-1].content.split()[0]
        model = "m" * 300 if script == "misnamed" else MODEL.id
        yield GenerateResponse(started=Started(model=model, attempt=1))
        if script == "fail" or (script == "stumble" and len(self.requests) == 1):
            raise Unavailable(Reason.REASON_PROVIDERS_FAILED, "no provider answers")
        yield GenerateResponse(delta="Hello")
        if script == "wait":
            await self._wait()
        if script == "cut":
            return
        if script == "break":
            raise Unavailable(Reason.REASON_PROVIDER_ERROR, "broke", provider="scripted")
        yield GenerateResponse(delta=" world")
        usage = Usage(prompt_tokens=7, completion_tokens=2)
        reason = FinishReason.FINISH_REASON_STOP
        yield GenerateResponse(finished=Finished(reason=reason, usage=usage))

    def _round(self) -> Iterator[GenerateResponse]:
        said = self.rounds[min(len(self.requests), len(self.rounds)) - 1]
        yield GenerateResponse(started=Started(model=self.model.id, attempt=1))
        for each in said:
            if isinstance(each, str):
                yield GenerateResponse(delta=each)
            else:
                yield GenerateResponse(tool_call=each)
        calls = any(not isinstance(each, str) for each in said)
        reason = FinishReason.FINISH_REASON_TOOL_CALLS if calls else FinishReason.FINISH_REASON_STOP
        usage = Usage(prompt_tokens=7, completion_tokens=2)
        yield GenerateResponse(finished=Finished(reason=reason, usage=usage))

    async def _wait(self) -> None:
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
