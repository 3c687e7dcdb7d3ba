"""One try of one model: asks its provider, tells its breaker and the metrics how it went."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from kari.conversation_models.v1.model_pb2 import FinishReason
from servers.model_factory import metrics
from servers.model_factory.answer import (
    Called,
    Calling,
    Reasoning,
    Started,
    Stopped,
    Text,
    Used,
)
from servers.model_factory.catalog import Known
from servers.model_factory.failure import Kind, ProviderFailure
from servers.model_factory.provider import Prompt, Provider
from servers.runtime.breaker import Breaker
from servers.runtime.labelled import labelled

log = structlog.get_logger("kari.model_factory")

MOST_CHARACTERS = 400_000
"""Of one answer, reasoning included, as a provider's own limit counts both. At four bytes each it
is 1.6 MB and fits the 4 MiB of a gRPC message, wherever the answer goes as a whole. It is some
100,000 tokens of English: what is longer mostly repeats itself without end."""


@dataclass(frozen=True)
class Asked:
    """A model with its provider and the provider's breaker."""

    model: Known
    provider: Provider
    breaker: Breaker


class Attempt:
    """One try. What became of it is known when its stream has ended."""

    def __init__(
        self, asked: Asked, prompt: Prompt, number: int, clock: Callable[[], float]
    ) -> None:
        self._asked = asked
        self._prompt = prompt
        self._number = number
        self._clock = clock
        self._began = clock()
        self._heard = False
        self._left = MOST_CHARACTERS
        self._outcome = "cancelled"
        self.first_text: float | None = None
        self.text: list[str] = []
        self.calls: list[Called] = []
        self.used = Used()
        self.reason = FinishReason.FINISH_REASON_UNSPECIFIED

    async def stream(self, *, anyway: bool) -> AsyncGenerator[Started | Text | Reasoning, None]:
        """The answer; its calls of tools are in `calls` once it is complete. Raises
        ProviderFailure, at once if the breaker does not let it through and it is not to be tried
        anyway."""
        if not self._asked.breaker.admit() and not anyway:
            raise ProviderFailure(Kind.BREAKER_OPEN)
        try:
            yield Started(self._asked.model.id, self._number)
            async with aclosing(self._asked.provider.stream(self._prompt)) as events:
                async for event in events:
                    if isinstance(event, Text | Reasoning):
                        yield self._hear(event)
                        if not self._left:
                            self._cut_off()
                            break
                    else:
                        self._note(event)
            self._complete()
        except ProviderFailure as failure:
            self._fail(failure)
            raise
        finally:
            self._end()

    def _hear(self, event: Text | Reasoning) -> Text | Reasoning:
        """The event, or as much of it as there is room for."""
        event = type(event)(event.text[: self._left])
        self._left -= len(event.text)
        self._begin()
        if isinstance(event, Text):
            self.text.append(event.text)
            if self.first_text is None:
                self.first_text = self._clock()
        return event

    def _begin(self) -> None:
        if not self._heard:
            self._asked.breaker.began()
            self._heard = True

    def _cut_off(self) -> None:
        self.reason = FinishReason.FINISH_REASON_LENGTH
        # What was counted so far stands for less than the text; ours is nearer.
        self.used = Used(self.used.prompt_tokens)

    def _note(self, event: object) -> None:
        if isinstance(event, Stopped):
            self.reason = event.reason
        elif isinstance(event, Calling):
            self._begin()
        elif isinstance(event, Called):
            self.calls.append(event)
        elif isinstance(event, Used):
            # Both protocols report totals, the later one more exactly.
            self.used = Used(
                self.used.prompt_tokens if event.prompt_tokens is None else event.prompt_tokens,
                self.used.completion_tokens
                if event.completion_tokens is None
                else event.completion_tokens,
            )

    def _complete(self) -> None:
        self._settle_calls()
        self._outcome = "ok"
        self._asked.breaker.answered()
        name = self._asked.model.id
        labelled(metrics.DURATION, name).observe(self._clock() - self._began)
        if self.first_text is not None:
            labelled(metrics.FIRST_TEXT, name).observe(self.first_text - self._began)

    def _settle_calls(self) -> None:
        """An answer that was cut off asks for nothing, for the last call is no whole; one that
        says nothing either is none."""
        if not self.calls:
            return
        offered = {tool.id for tool in self._prompt.tools}
        cut = self.reason != FinishReason.FINISH_REASON_STOP
        for call in self.calls:
            kind = "cut" if cut else "offered" if call.tool_id in offered else "unknown"
            labelled(metrics.TOOL_CALLS, self._asked.model.id, kind).inc()
        if not cut:
            self.reason = FinishReason.FINISH_REASON_TOOL_CALLS
            return
        log.warning("a call of a tool was cut off", model=self._asked.model.id)
        self.calls = []
        if self.first_text is None:
            raise ProviderFailure(Kind.EXCESSIVE, code="tool_call_cut_off")

    def _fail(self, failure: ProviderFailure) -> None:
        self._outcome = failure.kind.value
        if failure.consequence.counts:
            self._asked.breaker.failed()
        else:
            self._asked.breaker.abandoned()

    def _end(self) -> None:
        if self._outcome == "cancelled":
            self._asked.breaker.abandoned()
        labelled(metrics.ATTEMPTS, self._asked.model.id, self._outcome).inc()
