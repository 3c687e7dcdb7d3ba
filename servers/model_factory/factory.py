"""The models of one process: lists them, chooses, streams, embeds."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Self

import structlog

from kari.conversation_models.v1.model_pb2 import Model, ModelSelection, SelectionRule
from kari.errors.v1.errors_pb2 import Reason
from servers.model_factory import configured, metrics
from servers.model_factory.answer import Step
from servers.model_factory.attempt import Asked
from servers.model_factory.catalog import Catalog, Known
from servers.model_factory.configuration import LOCAL, Configuration
from servers.model_factory.embedder import Embedder
from servers.model_factory.generate import Chain
from servers.model_factory.prompting import Wanted
from servers.model_factory.provider import Provider
from servers.model_factory.provider_local import LocalProvider
from servers.model_factory.retry import Backoff
from servers.model_factory.routing import Router, Wish
from servers.model_factory.tool_declarations import check
from servers.runtime import paging
from servers.runtime.breaker import Breaker, State
from servers.runtime.call import Principal
from servers.runtime.errors import Unavailable
from servers.runtime.labelled import labelled
from servers.runtime.names import short
from servers.runtime.settings import Settings
from servers.runtime.weights import WeightsWrong

log = structlog.get_logger("kari.model_factory")


class NotReady(Exception):
    """The local model cannot answer yet."""


class ModelFactory:
    """Every model behind one door. Nothing is connected or loaded until it is opened or used."""

    def __init__(
        self,
        configuration: Configuration,
        providers: Mapping[str, Provider],
        chain: Chain | None = None,
        embedder: Embedder | None = None,
        *,
        eager: bool = True,
    ) -> None:
        """`eager` is whether the local model is loaded before anybody asks for it."""
        retry, breaker = configuration.retry, configuration.breaker
        self._catalog = Catalog(configuration)
        self._router = Router(configuration.routing, self._catalog)
        self._providers = providers
        self._chain = chain or Chain(Backoff(retry.attempts, retry.first_wait, retry.longest_wait))
        self._breakers = {
            name: Breaker(breaker.failures, breaker.cooldown, time.monotonic) for name in providers
        }
        self._embedder = embedder or Embedder()
        self._eager = eager
        for name in providers:
            labelled(metrics.BREAKER, name).set_function(partial(_state_of, self._breakers[name]))

    @classmethod
    def of_settings(cls, settings: Settings) -> Self:
        """As the models file says. ConfigurationError if it is wrong. Of several workers the first
        has the local model at hand; the others need its memory only if they need it."""
        configuration = configured.read(settings)
        providers = configured.providers(configuration)
        return cls(configuration, providers, eager=settings.worker == 1)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Self]:
        """Loads the local model beside whatever else starts; closes everything at the end."""
        warming = asyncio.create_task(self._warm())
        try:
            yield self
        finally:
            await asyncio.gather(warming, return_exceptions=True)
            await self.close()

    async def close(self) -> None:
        """Ends every answer and lets go of every model."""
        for provider in self._providers.values():
            await provider.close()
        await self._embedder.close()

    async def ping(self) -> None:
        """Raises NotReady while the local model is wanted and not loaded, and says why."""
        local = self._providers.get(LOCAL)
        if not isinstance(local, LocalProvider) or not (self._eager or local.asked):
            return
        if local.problem:
            raise NotReady(local.problem)

    def page(self, page_size: int, page_token: str) -> tuple[list[Model], str]:
        """A page of models by id, and the token of the next one."""
        size = paging.size_of(page_size)
        place = paging.place_of(page_token)
        known = self._catalog.page(str(place[0]) if place else "", size + 1)
        token = paging.token_of(known[size - 1].id) if len(known) > size else ""
        return [self._described(model) for model in known[:size]], token

    def select(self, wish: Wish, principal: Principal) -> ModelSelection:
        """The model for a message, why, and those that come after it."""
        choice = self._router.choose(wish, principal)
        rule = short(SelectionRule, choice.rule)
        labelled(metrics.SELECTIONS, choice.model.id, rule).inc()
        fallbacks = self._router.fallbacks(choice.model, self._is_open)
        return ModelSelection(
            model=self._described(choice.model),
            rule=choice.rule,
            explanation=choice.explanation,
            fallback_model_ids=[model.id for model in fallbacks],
        )

    def generate(
        self, model: str, fallbacks: Sequence[str], wanted: Wanted
    ) -> AsyncGenerator[Step, None]:
        """The answer as it comes; see Chain. NotFound if the model does not exist; fallbacks that
        do not are passed over, for whoever chose them may know a newer configuration.
        InvalidRequest if its tools cannot be told of."""
        check(wanted.tools)
        first = self._catalog.find(model)
        others = (self._catalog.get(name) for name in dict.fromkeys(fallbacks) if name != model)
        models = [first, *(known for known in others if known is not None)]
        return self._chain.answer([self._asked(known) for known in models], wanted)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of texts; see Embedder. Unavailable if its model does not load."""
        try:
            return await self._embedder.embed(texts)
        except WeightsWrong as error:
            log.error("the embedding model does not load", error=str(error))
            raise Unavailable(
                Reason.REASON_PROVIDER_ERROR,
                "the embedding model does not load",
                provider=LOCAL,
                retryable=False,
            ) from error

    async def _warm(self) -> None:
        local = self._providers.get(LOCAL)
        if isinstance(local, LocalProvider) and self._eager:
            try:
                await local.warm()
            except Exception as error:  # noqa: BLE001  # said now, and again by each ping and answer
                log.error("the local model does not load", error=str(error))

    def _asked(self, model: Known) -> Asked:
        return Asked(model, self._providers[model.provider], self._breakers[model.provider])

    def _described(self, model: Known) -> Model:
        return model.described(available=not self._is_open(model.provider))

    def _is_open(self, provider: str) -> bool:
        return self._breakers[provider].state is State.OPEN


def _state_of(breaker: Breaker) -> float:
    return float(breaker.state)
