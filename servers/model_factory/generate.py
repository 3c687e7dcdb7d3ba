"""The chain: each model in turn, until one has answered.

Before any text was sent a failure is mended: the same model is tried again where that may help,
then the next one. After text was sent the failure ends the answer; whoever wants to go on from the
text so far does it where `_Answer.unsent` is asked.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.errors.v1.errors_pb2 import Reason
from servers.model_factory import metrics
from servers.model_factory.answer import (
    Degraded,
    Finished,
    Step,
    Switched,
    Text,
    ToolCalled,
)
from servers.model_factory.attempt import Asked, Attempt
from servers.model_factory.failure import Kind, ProviderFailure, details_of, error_of
from servers.model_factory.prompting import Wanted, prompt_for, tokens_of, tokens_of_prompt
from servers.model_factory.provider import Prompt
from servers.model_factory.retry import Backoff, Uniform
from servers.runtime.breaker import State
from servers.runtime.errors import Unavailable
from servers.runtime.ids import new_id
from servers.runtime.labelled import labelled

log = structlog.get_logger("kari.model_factory")


@dataclass(frozen=True)
class Chain:
    """How models are tried. Clock, pause, random numbers and ids are given, so that tests need not
    wait."""

    backoff: Backoff
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    uniform: Uniform = random.uniform
    new_id: Callable[[str], str] = new_id

    async def answer(self, models: Sequence[Asked], wanted: Wanted) -> AsyncGenerator[Step, None]:
        """The answer of the first model that gives one; Unavailable if none does."""
        answer = _Answer(self, wanted)
        failure = ProviderFailure(Kind.BREAKER_OPEN)
        for place, asked in enumerate(models):
            if place:
                for step in _handed_over(models[place - 1], asked, failure, first=place == 1):
                    yield step
            try:
                async with aclosing(answer.by(asked, last=asked is models[-1])) as steps:
                    async for step in steps:
                        yield step
                return
            except ProviderFailure as caught:
                failure = caught
                _log(asked, failure)
                if not answer.unsent:
                    raise error_of(failure, asked.model.provider) from failure
        raise _all_failed(models[-1], failure) from failure


class _Answer:
    """One answer, whoever gives it."""

    def __init__(self, chain: Chain, wanted: Wanted) -> None:
        self._chain = chain
        self._wanted = wanted
        self._began = chain.clock()
        self.unsent = True
        self._tries = 0

    async def by(self, asked: Asked, *, last: bool) -> AsyncGenerator[Step, None]:
        """The answer of one model. Raises ProviderFailure once there is no use in trying it
        again. The last model is tried even if its breaker is open: there is nobody else. One that
        refuses a request with tools or images is asked once more without any: many cannot."""
        if asked.breaker.state is State.OPEN and not last:
            raise ProviderFailure(Kind.BREAKER_OPEN)
        self._tries = 0
        prompt, missing = await prompt_for(asked.model, self._wanted)
        for feature in missing:
            yield Degraded(feature, asked.model.id)
        try:
            async with aclosing(self._by(asked, prompt, last=last)) as steps:
                async for step in steps:
                    yield step
            return
        except ProviderFailure as failure:
            bare = not (prompt.has_tools or prompt.has_images)
            if failure.kind is not Kind.REJECTED or bare or not self.unsent:
                raise
            way_out = "if it cannot call tools, set calls_tools = false; if not see, sees = false"
            _log(asked, failure, way_out=way_out)
        if prompt.has_tools:
            yield Degraded(Feature.FEATURE_TOOLS, asked.model.id)
        if prompt.has_images:
            yield Degraded(Feature.FEATURE_IMAGES, asked.model.id)
        plain, _ = await prompt_for(asked.model, self._wanted, plain=True)
        async with aclosing(self._by(asked, plain, last=last)) as steps:
            async for step in steps:
                yield step

    async def _by(self, asked: Asked, prompt: Prompt, *, last: bool) -> AsyncGenerator[Step, None]:
        """The answer to one prompt, tried again where that may help."""
        while True:
            self._tries += 1
            attempt = Attempt(asked, prompt, self._tries, self._chain.clock)
            try:
                async with aclosing(self._tried(asked, prompt, attempt, last=last)) as steps:
                    async for step in steps:
                        yield step
                return
            except ProviderFailure as failure:
                wait = self._chain.backoff.wait(failure, self._tries, self._chain.uniform)
                if wait is None or not self.unsent:
                    raise
                _log(asked, failure, again_in=round(wait, 3))
            await self._chain.pause(wait)

    async def _tried(
        self, asked: Asked, prompt: Prompt, attempt: Attempt, *, last: bool
    ) -> AsyncGenerator[Step, None]:
        async with aclosing(attempt.stream(anyway=last)) as events:
            async for event in events:
                self.unsent = self.unsent and not isinstance(event, Text)
                yield event
        finished = await self._finished(asked, prompt, attempt)
        for call in attempt.calls:
            self.unsent = False
            yield ToolCalled(self._chain.new_id("call"), call.tool_id, call.arguments)
        yield finished

    async def _finished(self, asked: Asked, prompt: Prompt, attempt: Attempt) -> Finished:
        """The end, with tokens: the provider's count, else ours."""
        used = attempt.used
        prompt_tokens, completion_tokens = used.prompt_tokens, used.completion_tokens
        if prompt_tokens is None:
            prompt_tokens = await tokens_of_prompt(asked.model, prompt)
        if completion_tokens is None:
            written = (text for call in attempt.calls for text in (call.tool_id, call.arguments))
            completion_tokens = await tokens_of(asked.model, "".join(attempt.text), *written)
        labelled(metrics.TOKENS, asked.model.id, "prompt").inc(prompt_tokens)
        labelled(metrics.TOKENS, asked.model.id, "completion").inc(completion_tokens)
        first = attempt.first_text
        return Finished(
            attempt.reason,
            prompt_tokens,
            completion_tokens,
            None if first is None else first - self._began,
            self._chain.clock() - self._began,
        )


def _handed_over(
    failed: Asked, asked: Asked, failure: ProviderFailure, *, first: bool
) -> list[Step]:
    """What is said when the next model takes over; the missing wish is said once."""
    labelled(metrics.SWITCHES, failed.model.id, asked.model.id, failure.kind.value).inc()
    error = error_of(failure, failed.model.provider)
    switched = Switched(failed.model.id, asked.model.id, error)
    degraded = Degraded(Feature.FEATURE_CHOSEN_MODEL, failed.model.id)
    return [switched, degraded] if first else [switched]


def _all_failed(asked: Asked, failure: ProviderFailure) -> Unavailable:
    return Unavailable(
        Reason.REASON_PROVIDERS_FAILED,
        "no model answers at the moment; try again in a while",
        retry_after=failure.retry_after,
        provider=asked.model.provider,
        model=asked.model.id,
        **details_of(failure),
    )


def _log(asked: Asked, failure: ProviderFailure, **more: object) -> None:
    log.warning(
        "a provider failed",
        model=asked.model.id,
        kind=failure.kind.value,
        status=failure.status,
        code=failure.code,
        **more,
    )
