"""A summary by a model, through the model factory."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc

from kari.conversation_models.v1.model_pb2 import FinishReason
from kari.conversation_models.v1.summary_pb2 import ConversationSummary
from kari.errors.v1.errors_pb2 import Reason
from kari.model_factory.v1.model_factory_pb2 import GenerateRequest, GenerateResponse
from servers.runtime.errors import from_rpc
from servers.summarizer.passages import Passage
from servers.summarizer.prompting import (
    MOST_ANSWER_CHARACTERS,
    MOST_TOKENS,
    Unusable,
    answered,
    prompt,
)

if TYPE_CHECKING:
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub

MODEL_SECONDS = 30.0
"""A model that takes longer is not waited for."""


class NotWritten(Exception):
    """The model gave no summary; the text says why, in a word that metrics may have."""


class Writing:
    """Asks one model. There is no other to fall back on: chosen sentences are better than what a
    model that nobody wanted makes of them."""

    def __init__(
        self,
        models: "ModelFactoryServiceAsyncStub",
        model: str,
        seconds: float = MODEL_SECONDS,
    ) -> None:
        self._models = models
        self._seconds = seconds
        self.model = model

    async def write(self, passages: Sequence[Passage]) -> ConversationSummary:
        """The model's summary; NotWritten if it is silent, fails, or gives anything else."""
        speakers = dict.fromkeys(each.speaker for each in passages if each.speaker)
        try:
            async with asyncio.timeout(self._seconds):
                text = await self._answer(passages)
            summary = answered(text, list(speakers))
        except TimeoutError as error:
            raise NotWritten("timeout") from error
        except grpc.aio.AioRpcError as error:
            raise NotWritten(Reason.Name(from_rpc(error).reason)) from error
        except Unusable as error:
            raise NotWritten(str(error)) from error
        summary.model_used = self.model
        return summary

    async def _answer(self, passages: Sequence[Passage]) -> str:
        request = GenerateRequest(
            model=self.model, messages=prompt(passages), max_tokens=MOST_TOKENS, temperature=0
        )
        call = self._models.Generate(request)
        pieces, length, finished = list[str](), 0, False
        try:
            async for response in call:
                finished = _is_end(response)
                pieces.append(response.delta)
                length += len(response.delta)
                if length > MOST_ANSWER_CHARACTERS:
                    raise Unusable("too_long")
        finally:
            call.cancel()
        if not finished:
            raise Unusable("cut_off")
        return "".join(pieces)


def _is_end(response: GenerateResponse) -> bool:
    """Whether the answer is complete. One to a prompt that was cut covers less than it says."""
    if response.HasField("degraded"):
        raise Unusable("context_cut")
    if not response.HasField("finished"):
        return False
    if response.finished.reason != FinishReason.FINISH_REASON_STOP:
        raise Unusable("cut_off")
    return True
