"""The model that is always there: SmolLM2 on this machine, no key, no network."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import msgspec
import structlog

from servers.model_factory.answer import ProviderEvent
from servers.model_factory.configuration import LocalEntry
from servers.model_factory.failure import Kind, ProviderFailure
from servers.model_factory.local_prompt import prepared
from servers.model_factory.local_runtime import LocalRuntime
from servers.model_factory.provider import Prompt
from servers.model_factory.provider_openai import OpenAiProvider
from servers.runtime.weights import SMOLLM2, Weights, WeightsWrong

log = structlog.get_logger("kari.model_factory.local")

EXTRA = {
    "return_progress": True,
    "cache_prompt": True,
    "temperature": 0.2,
    "top_p": 0.9,
    "repeat_penalty": 1.1,
}
"""Progress while the prompt is read: it shows that the model works, and lets it notice a caller
who left. Temperature and top_p are those of SmolLM2's model card: at the usual 0.7 a model this
small loses its thread, and without a penalty it goes round in circles."""


class LocalProvider:
    """Loads when first asked, or when told to warm up; answers like any other provider."""

    def __init__(self, entry: LocalEntry, file: Weights = SMOLLM2) -> None:
        self._entry = entry
        self.runtime = LocalRuntime(entry, file)
        self._loading: asyncio.Task[OpenAiProvider] | None = None
        self._closed = False

    async def warm(self) -> None:
        """Loads the model, if nobody did. WeightsWrong or RuntimeError if that fails."""
        await self._provider()

    @property
    def asked(self) -> bool:
        """Whether anybody had it loaded."""
        return self._loading is not None

    @property
    def problem(self) -> str:
        """Why the model cannot answer yet; empty if it can."""
        if self._loading is None or not self._loading.done():
            return "the local model is not loaded yet"
        error = self._loading.exception()
        return "" if error is None else f"the local model does not load: {error}"

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ProviderEvent, None]:
        """The answer as it comes; see Provider."""
        try:
            provider = await self._provider()
        except (WeightsWrong, RuntimeError) as error:
            log.error("the local model does not load", error=str(error))
            raise ProviderFailure(Kind.CONNECT, code="not_loaded") from error
        model = msgspec.structs.replace(prompt.model, extra={**prompt.model.extra, **EXTRA})
        whole = replace(prompt, model=model, messages=prepared(prompt.messages))
        async with aclosing(provider.stream(whole)) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """Ends every stream, then the model; it is not loaded again."""
        self._closed = True
        loading, self._loading = self._loading, None
        if loading is None:
            return
        result = await asyncio.gather(loading, return_exceptions=True)
        if isinstance(result[0], OpenAiProvider):
            await result[0].close()
        await self.runtime.close()

    async def _provider(self) -> OpenAiProvider:
        if self._closed:
            raise ProviderFailure(Kind.CLOSED)
        if self._loading is None or (self._loading.done() and self.problem):
            self._loading = asyncio.create_task(self._load())
        # A caller who leaves must not take the loading with him.
        return await asyncio.shield(self._loading)

    async def _load(self) -> OpenAiProvider:
        await self.runtime.load()
        return OpenAiProvider(
            f"{self.runtime.address}/v1",
            self.runtime.key,
            timeouts=self._entry.timeouts,
            # llama.cpp closes after each answer without saying so.
            keep_alive=False,
        )
