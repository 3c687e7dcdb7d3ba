"""What the scripted hub does with a message: the words of its content. Pure.

`stream 5` sends five deltas, `slow 5` waits for a step before each one, `pace 5` takes its time,
`tell` writes some Markdown, `echo x` says x, `huge` sends 400 deltas of 100 kB, `fail 2` ends with
an error after two deltas, `tool 2` runs a tool first, `ask 2` asks before it runs one, `hang` never
answers the call, `down` answers it with an error, `defect` with a defect, `cut 2` breaks the stream
after two deltas, the first time it is read.
"""

from dataclasses import dataclass

from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from kari.conversation_models.v1.model_pb2 import ModelSelection
from kari.conversation_models.v1.turn_pb2 import (
    Accepted,
    Cancelled,
    Completed,
    Failed,
    StreamPosition,
    TextDelta,
    TurnEvent,
)
from kari.errors.v1.errors_pb2 import ErrorEnvelope, ErrorType, Reason
from tests.gateway import scripted_tools

PROSE = """The mesh is a row of small servers. Each one has **one duty** and one contract.

- The hub routes every event.
- The orchestrator leads a turn from *accepted* to committed.
- Everything that streams is numbered, so `resume` knows where to go on.

```python
async def follow(stream, after=0):
    async for event in stream.read(after):
        yield event
```

Ask on, and the next answer begins where this one ends.
"""
WORDS = ("Words", " arrive", " one", " after", " the", " other.")


@dataclass(frozen=True)
class Script:
    """One message's behaviour."""

    verb: str
    count: int
    rest: str = ""

    @classmethod
    def of(cls, content: str) -> "Script":
        """Unknown words stream twelve deltas."""
        verb, _, rest = content.partition(" ")
        if verb == "huge":
            return cls(verb, 400)
        return cls(verb, int(rest) if rest.isdigit() else 12, rest)

    def text(self) -> str:
        """The whole answer; that of `huge` would be too large for one message."""
        return "" if self.verb == "huge" else "".join(self.pieces())

    def pieces(self) -> list[str]:
        """Its deltas."""
        if self.verb == "huge":
            return ["x" * 100_000] * self.count
        if self.verb == "echo":
            return [self.rest]
        if self.verb == "tell":
            return [PROSE[at : at + 9] for at in range(0, len(PROSE), 9)]
        return [WORDS[i % len(WORDS)] for i in range(self.count)]


def events(script: Script, asked: Message, answer_id: str) -> list[TurnEvent]:
    """The whole stream of a turn, in order, with its last event."""
    last = TurnEvent(
        completed=Completed(message=answer(asked, answer_id, script.text())),
    )
    if script.verb == "fail":
        last = TurnEvent(failed=Failed(error=failure(asked.turn_id)))
    made = [
        TurnEvent(accepted=Accepted(message=asked)),
        TurnEvent(model_selected=ModelSelection(explanation="the only one there is")),
        *before(script),
        *(TurnEvent(delta=TextDelta(text=piece)) for piece in script.pieces()),
        last,
    ]
    return [placed(event, asked.turn_id, seq) for seq, event in enumerate(made, 1)]


def before(script: Script) -> list[TurnEvent]:
    """What comes before the text."""
    if script.verb == "tool":
        return scripted_tools.calculated()
    return scripted_tools.asked() if script.verb == "ask" else []


def cancelled(asked: Message, answer_id: str, seq: int, text: str) -> TurnEvent:
    """The end of a turn that was called off."""
    message = answer(asked, answer_id, text)
    message.partial = True
    return placed(TurnEvent(cancelled=Cancelled(message=message)), asked.turn_id, seq)


def placed(event: TurnEvent, turn_id: str, seq: int) -> TurnEvent:
    """The event with its place."""
    event.position.CopyFrom(StreamPosition(stream_id=turn_id, epoch=1, seq=seq))
    event.created_at.GetCurrentTime()
    return event


def answer(asked: Message, answer_id: str, text: str) -> Message:
    """The committed answer."""
    message = Message(
        id=answer_id,
        conversation_id=asked.conversation_id,
        role=MessageRole.MESSAGE_ROLE_ASSISTANT,
        content=text,
        model_used="scripted/one",
        turn_id=asked.turn_id,
        sequence=asked.sequence + 1,
    )
    message.timestamp.GetCurrentTime()
    return message


def failure(turn_id: str) -> ErrorEnvelope:
    """Why a turn failed."""
    return ErrorEnvelope(
        type=ErrorType.ERROR_TYPE_UNAVAILABLE,
        message="no model answered",
        retryable=True,
        reason=Reason.REASON_PROVIDERS_FAILED,
        correlation_id="0198c0ffee" + turn_id[-22:],
    )
