"""Texts that a model writes for a run."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.model_pb2 import FinishReason, Model, ModelSelection
from kari.model_factory.v1.model_factory_pb2 import (
    GenerateRequest,
    GenerateResponse,
    SelectModelRequest,
)
from servers.capsules.failing import as_skill_errors
from servers.capsules.run import Run
from servers.capsules.skill import ModelInfo, SkillError

if TYPE_CHECKING:
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub

LOCAL = "local"
"""Provider of the small model that comes with Kari."""
LONGEST_TEXT = 1_000_000
LOOKED_AT = 10_000
"""Characters of an input of which the shape is looked at when a model is chosen."""


class Writing:
    """The model of one run. It is chosen once, as for a message of the conversation."""

    def __init__(self, models: "ModelFactoryServiceAsyncStub", run: Run) -> None:
        self._models = models
        self._run = run
        self._selection: ModelSelection | None = None

    async def model(self) -> ModelInfo:
        """The chosen one."""
        model = (await self._selected()).model
        return ModelInfo(model.id, model.provider != LOCAL, model.context_window)

    async def stream(
        self, prompt: str, system: str, max_tokens: int, temperature: float | None
    ) -> AsyncIterator[str]:
        """Text as it is written. SkillError if it cannot be written to its end."""
        request = self._request(await self._selected(), prompt, system, max_tokens, temperature)
        with as_skill_errors():
            call = self._models.Generate(request)
            length, finished = 0, False
            try:
                async for response in call:
                    self._note(response)
                    finished = finished or response.HasField("finished")
                    length += len(response.delta)
                    if length > LONGEST_TEXT:
                        break
                    if response.delta:
                        yield response.delta
            finally:
                call.cancel()
        if not finished:
            raise SkillError("REASON_PROVIDER_ERROR", "the model's text broke off; try again")

    async def _selected(self) -> ModelSelection:
        if self._selection is None:
            conversation = self._run.conversation
            request = SelectModelRequest(content=self._run.input_json[:LOOKED_AT])
            if conversation is not None:
                request.override, request.mode = conversation.model, conversation.mode
            with as_skill_errors():
                self._selection = (await self._models.SelectModel(request)).selection
        return self._selection

    def _request(
        self,
        selection: ModelSelection,
        prompt: str,
        system: str,
        max_tokens: int,
        temperature: float | None,
    ) -> GenerateRequest:
        bounds = self._run.manifest
        said = [PromptMessage(role=MessageRole.MESSAGE_ROLE_USER, content=prompt)]
        if system:
            said.insert(0, PromptMessage(role=MessageRole.MESSAGE_ROLE_SYSTEM, content=system))
        asked = bounds.temperature if temperature is None else max(0.0, temperature)
        return GenerateRequest(
            model=selection.model.id,
            fallback_model_ids=_fallbacks(selection),
            messages=said,
            max_tokens=min(max_tokens if max_tokens > 0 else bounds.max_tokens, bounds.max_tokens),
            temperature=min(asked, bounds.temperature),
        )

    def _note(self, response: GenerateResponse) -> None:
        notes = self._run.notes
        if response.HasField("started"):
            notes.used_model(response.started.model)
        if response.HasField("degraded"):
            notes.warn("a prompt was longer than the model reads; its middle was left out")
        if response.finished.reason == FinishReason.FINISH_REASON_LENGTH:
            notes.warn("a text of the model ends at its most tokens")


def _fallbacks(selection: ModelSelection) -> list[str]:
    """The small local model does not step in for a capable one: what it made of the prompts of a
    capsule would look like a result."""
    if _is_local(selection.model):
        return list(selection.fallback_model_ids)
    return [name for name in selection.fallback_model_ids if not name.startswith(f"{LOCAL}/")]


def _is_local(model: Model) -> bool:
    return model.provider == LOCAL
