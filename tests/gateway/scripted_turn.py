"""A turn of the scripted hub, and the commands that it lists."""

import asyncio
from dataclasses import dataclass, field

from kari.conversation_models.v1.instruction_pb2 import Command
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.turn_pb2 import ApprovalRequested, Turn, TurnEvent
from servers.runtime.ids import new_id
from tests.gateway import scripted_tools
from tests.gateway.script import Script, cancelled, placed

COMMANDS = (
    Command(name="help", usage="/help", summary="Lists the commands.", allowed=True),
    Command(
        name="set",
        usage="/set mode MODE",
        summary="Switches the mode of the conversation.",
        choices=["chat", "analysis", "creative", "technical", "code", "summarization"],
        allowed=True,
    ),
    Command(
        name="persona",
        usage="/persona NAME [TRAIT=VALUE]",
        summary="Gives the model another persona.",
        requires_confirmation=True,
        allowed=True,
    ),
    Command(name="model", usage="/model NAME", summary="Chooses a model.", allowed=False),
)


@dataclass
class ScriptedTurn:
    """A turn whose events are known; `at` of them are out."""

    turn: Turn
    script: Script
    asked: Message
    events: list[TurnEvent]
    at: int = 0
    sent: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def emit(self) -> None:
        """One more event is out."""
        async with self.changed:
            self.at += 1
            self.changed.notify_all()

    def decide(self, requested: ApprovalRequested, *, approved: bool) -> None:
        """The user has answered; without approval another tail follows."""
        if not approved:
            told = scripted_tools.answered(requested.call, approved=False)
            tail = [e for e in self.events[self.at :] if not _of_tools(e)]
            self.events[self.at :] = [*told, *tail]
            for seq, event in enumerate(self.events, 1):
                placed(event, self.turn.id, seq)

    async def cancel(self) -> None:
        """Ends it after what is out."""
        async with self.changed:
            text = "".join(e.delta.text for e in self.events[: self.at] if e.HasField("delta"))
            del self.events[self.at :]
            answer_id = new_id("msg")
            self.events.append(cancelled(self.asked, answer_id, self.at + 1, text))
            self.at += 1
            self.changed.notify_all()

    @property
    def over(self) -> bool:
        """True if all events are out."""
        return self.at == len(self.events)


def _of_tools(event: TurnEvent) -> bool:
    kind = event.WhichOneof("event") or ""
    return kind.startswith("tool_") or kind == "approval_answered"
