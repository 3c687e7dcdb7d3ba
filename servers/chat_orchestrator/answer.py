"""An answer in the making: what the model's stream becomes, event by event. Pure."""

from dataclasses import dataclass, field
from itertools import groupby

from kari.conversation_models.v1.degradation_pb2 import Degradation
from kari.conversation_models.v1.model_pb2 import FinishReason, Usage
from kari.conversation_models.v1.turn_pb2 import ProviderSwitched, TextDelta, TurnEvent
from kari.model_factory.v1.model_factory_pb2 import GenerateResponse


@dataclass
class Answer:
    """The text so far and what is known about it."""

    model: str = ""
    finish_reason: FinishReason.ValueType = FinishReason.FINISH_REASON_UNSPECIFIED
    usage: Usage = field(default_factory=Usage)
    degradations: list[Degradation] = field(default_factory=list)
    finished: bool = False
    first_text_at: float | None = None
    _pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._pieces)

    @property
    def begun(self) -> bool:
        """True once there is text."""
        return bool(self._pieces)

    def resume(self, text: str) -> None:
        """Goes on from the text that an earlier leader wrote."""
        self._pieces = [text]

    def take(self, response: GenerateResponse, now: float) -> list[TurnEvent]:
        """Takes the next step of the model's stream; gives the events that tell of it. `now` is
        in the seconds of a monotonic clock."""
        match response.WhichOneof("event"):
            case "started":
                self.model = response.started.model
            case "delta":
                self.first_text_at = self.first_text_at or now
                self._pieces.append(response.delta)
                return [TurnEvent(delta=TextDelta(text=response.delta))]
            case "reasoning":
                return [TurnEvent(reasoning=TextDelta(text=response.reasoning))]
            case "switched":
                return self._switched(response)
            case "degraded":
                return self.degrade(response.degraded)
            case "finished":
                self.finished = True
                self.finish_reason = response.finished.reason
                self.usage = response.finished.usage
        return []

    def degrade(self, degradation: Degradation) -> list[TurnEvent]:
        """Notes that something is missing, once."""
        if degradation in self.degradations:
            return []
        self.degradations.append(degradation)
        return [TurnEvent(degraded=degradation)]

    def _switched(self, response: GenerateResponse) -> list[TurnEvent]:
        switched = response.switched
        told = ProviderSwitched(
            from_model=switched.from_model, to_model=switched.to_model, error=switched.error
        )
        return [TurnEvent(provider_switched=told)]


def merged(events: list[TurnEvent]) -> list[TurnEvent]:
    """The same events with neighbouring deltas joined into one."""
    if len(events) < 2:
        return events
    result: list[TurnEvent] = []
    for is_delta, run in groupby(events, lambda event: event.HasField("delta")):
        if is_delta:
            text = "".join(event.delta.text for event in run)
            result.append(TurnEvent(delta=TextDelta(text=text)))
        else:
            result += run
    return result
