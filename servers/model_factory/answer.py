"""What happens while a model answers: what providers report, and what becomes of it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.model_pb2 import FinishReason
from servers.runtime.errors import KariError


@dataclass(frozen=True, slots=True)
class Text:
    """Text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What the model thinks before it answers; never part of the text."""

    text: str


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens so far, as the provider counts them; None where it did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The provider says that the answer is complete."""

    reason: FinishReason.ValueType


@dataclass(frozen=True, slots=True)
class Working:
    """The provider reads the prompt and says how far it is: it does not hang."""


@dataclass(frozen=True, slots=True)
class Calling:
    """The provider writes a call of a tool, which is told when it is whole."""


@dataclass(frozen=True, slots=True)
class Called:
    """The model wants a tool called; the arguments are a text as it wrote them."""

    tool_id: str
    arguments: str


ProviderEvent = Text | Reasoning | Used | Stopped | Working | Calling | Called
"""What a provider reports. A stream that ends without `Stopped` was cut."""


@dataclass(frozen=True, slots=True)
class Started:
    """A model begins; `attempt` is 1 for the first try."""

    model: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Switched:
    """A model failed, the next one goes on."""

    from_model: str
    to_model: str
    error: KariError


@dataclass(frozen=True, slots=True)
class Degraded:
    """Something is missing, and what caused it."""

    feature: Feature.ValueType
    cause: str


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """The model wants a tool called. `call_id` is ours."""

    call_id: str
    tool_id: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete. Times in seconds, from the start of the call."""

    reason: FinishReason.ValueType
    prompt_tokens: int
    completion_tokens: int
    first_text_seconds: float | None
    seconds: float


Step = Started | Text | Reasoning | ToolCalled | Switched | Degraded | Finished
"""What a caller of the chain sees."""


def joined(events: Iterable[ProviderEvent]) -> Iterator[ProviderEvent]:
    """Neighbouring texts as one, and neighbouring reasonings: what arrived together goes on
    together, because every message costs each hop the same whatever its length."""
    held: list[str] = []
    kind: type[Text] | type[Reasoning] | None = None
    for event in events:
        if kind is not None and type(event) is not kind:
            yield kind("".join(held))
            held, kind = [], None
        if isinstance(event, Text | Reasoning):
            held.append(event.text)
            kind = type(event)
        else:
            yield event
    if kind is not None:
        yield kind("".join(held))
