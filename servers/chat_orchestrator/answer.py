"""An answer in the making: what the model's streams become, event by event. Pure."""

from dataclasses import dataclass, field

from kari.conversation_models.v1.degradation_pb2 import Degradation
from kari.conversation_models.v1.model_pb2 import FinishReason, Usage
from kari.conversation_models.v1.tool_pb2 import ToolCall
from kari.conversation_models.v1.turn_pb2 import ProviderSwitched, TextDelta, TurnEvent
from kari.model_factory.v1.model_factory_pb2 import GenerateResponse

BREAK = "\n\n"
"""Between the texts of two rounds."""


@dataclass
class Answer:
    """The text so far and what is known about it. Every round adds to it."""

    model: str = ""
    finish_reason: FinishReason.ValueType = FinishReason.FINISH_REASON_UNSPECIFIED
    usage: Usage = field(default_factory=Usage)
    """Tokens of all rounds."""
    degradations: list[Degradation] = field(default_factory=list)
    finished: bool = False
    """True once the model has said that this round is complete."""
    first_text_at: float | None = None
    calls: list[ToolCall] = field(default_factory=list)
    """What the model wants called in this round."""
    _pieces: list[str] = field(default_factory=list)
    _before: int = 0
    """Number of pieces before this round."""

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._pieces)

    @property
    def begun(self) -> bool:
        """True once there is text."""
        return bool(self._pieces)

    @property
    def round_begun(self) -> bool:
        """True once this round has text or a call."""
        return len(self._pieces) > self._before or bool(self.calls)

    @property
    def round_text(self) -> str:
        """Text of this round, as it was streamed: with what parts it from the rounds before."""
        return "".join(self._pieces[self._before :])

    def resume(self, text: str) -> None:
        """Goes on from the text that an earlier leader wrote."""
        self._pieces = [text] if text else []
        self.begin_round()

    def begin_round(self) -> None:
        """The model is asked again."""
        self.finished, self.calls, self._before = False, [], len(self._pieces)

    def take(self, response: GenerateResponse, now: float) -> list[TurnEvent]:
        """Takes the next step of the model's stream; gives the events that tell of it. `now` is
        in the seconds of a monotonic clock."""
        match response.WhichOneof("event"):
            case "started":
                self.model = response.started.model
            case "delta":
                return self._delta(response.delta, now)
            case "reasoning":
                return [TurnEvent(reasoning=TextDelta(text=response.reasoning))]
            case "tool_call":
                self.calls.append(response.tool_call)
            case "switched":
                return self._switched(response)
            case "degraded":
                return self.degrade(response.degraded)
            case "finished":
                self.finished = True
                self.finish_reason = response.finished.reason
                self.usage = total(self.usage, response.finished.usage)
        return []

    def degrade(self, degradation: Degradation) -> list[TurnEvent]:
        """Notes that something is missing, once."""
        if degradation in self.degradations:
            return []
        self.degradations.append(degradation)
        return [TurnEvent(degraded=degradation)]

    def _delta(self, text: str, now: float) -> list[TurnEvent]:
        if not text:
            return []
        self.first_text_at = self.first_text_at or now
        if len(self._pieces) == self._before:
            text = gap(self.text) + text
        self._pieces.append(text)
        return [TurnEvent(delta=TextDelta(text=text))]

    def _switched(self, response: GenerateResponse) -> list[TurnEvent]:
        switched = response.switched
        told = ProviderSwitched(
            from_model=switched.from_model, to_model=switched.to_model, error=switched.error
        )
        return [TurnEvent(provider_switched=told)]


def gap(before: str) -> str:
    """What stands between the text of earlier rounds and that of the next."""
    return BREAK if before and not before.endswith("\n") else ""


def total(one: Usage, other: Usage) -> Usage:
    """Tokens of both; times are those of whoever leads the turn."""
    return Usage(
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
    )


def merged(events: list[TurnEvent]) -> list[TurnEvent]:
    """The same events in the same order, with neighbouring deltas joined into one, and so is the
    neighbouring text of one tool."""
    if len(events) < 2:
        return events
    result: list[TurnEvent] = []
    run: list[TurnEvent] = []
    for event in events:
        if run and _kind(run[0]) != _kind(event):
            result.append(_one(run))
            run = []
        if _kind(event):
            run.append(event)
        else:
            result.append(event)
    return [*result, _one(run)] if run else result


def _kind(event: TurnEvent) -> str:
    """What events have to share to be joined; empty if this one stands alone."""
    if event.HasField("delta"):
        return "delta"
    progress = event.tool_progress
    if progress.text and not progress.message and not progress.HasField("fraction"):
        return progress.call_id
    return ""


def _one(run: list[TurnEvent]) -> TurnEvent:
    if len(run) == 1:
        return run[0]
    event = TurnEvent()
    if run[0].HasField("delta"):
        event.delta.text = "".join(each.delta.text for each in run)
    else:
        event.tool_progress.call_id = run[0].tool_progress.call_id
        event.tool_progress.text = "".join(each.tool_progress.text for each in run)
    return event
