"""Several deltas as one, for a reader that is behind. Pure."""

from collections.abc import Iterable, Iterator

from kari.conversation_models.v1.turn_pb2 import TextDelta, TurnEvent

MOST_CHARACTERS = 16_384
"""Longest text of one event that was made of several."""


def coalesced(events: Iterable[TurnEvent]) -> Iterator[TurnEvent]:
    """The same events in the same order, with neighbouring deltas joined as long as the text stays
    short. A joined delta has the place and the time of its last one."""
    kind, run, characters = "", list[TurnEvent](), 0
    for event in events:
        of, text = _text(event)
        if run and (of != kind or characters + len(text) > MOST_CHARACTERS):
            yield _joined(kind, run)
            run, characters = [], 0
        if of:
            kind, characters = of, characters + len(text)
            run.append(event)
        else:
            yield event
    if run:
        yield _joined(kind, run)


def _text(event: TurnEvent) -> tuple[str, str]:
    """Kind and text of a delta; an empty kind for other events. Reasoning never joins text."""
    if event.HasField("delta"):
        return "delta", event.delta.text
    if event.HasField("reasoning"):
        return "reasoning", event.reasoning.text
    return "", ""


def _joined(kind: str, run: list[TurnEvent]) -> TurnEvent:
    if len(run) == 1:
        return run[0]
    text = "".join(_text(event)[1] for event in run)
    joined = TurnEvent(**{kind: TextDelta(text=text)})  # type: ignore[arg-type]  # one of two fields
    last = run[-1]
    joined.position.CopyFrom(last.position)
    joined.correlation_id = last.correlation_id
    joined.created_at.CopyFrom(last.created_at)
    return joined
