"""The turns that one socket follows: each at most once, from where it was cut.

A follow ends with the turn's last event. One that ends otherwise was cut: it is opened again after
the last position seen, a few times in a row without progress, before the client is told. Pure.
"""

from dataclasses import dataclass

from gateway.actions import Action, Cause, Open, Stop
from kari.chat_hub.v1.chat_hub_pb2 import FollowTurnRequest, FollowTurnResponse
from kari.conversation_models.v1.turn_pb2 import StreamPosition
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import KariError, Unavailable

ATTEMPTS = 6
FIRST_DELAY = 0.1
FOLLOW = "FollowTurn"
LAST = frozenset({"completed", "failed", "cancelled"})
CUT_OFF = Unavailable(
    Reason.REASON_SERVER_UNAVAILABLE, "the turn's events stopped; resume it", server="chat_hub"
)


@dataclass(slots=True)
class _Followed:
    cause: Cause
    after: StreamPosition | None
    attempts: int = 0
    ended: bool = False


class Turns:
    """What is followed, by turn."""

    def __init__(self) -> None:
        self._followed: dict[str, _Followed] = {}

    def __contains__(self, turn_id: str) -> bool:
        return turn_id in self._followed

    def __len__(self) -> int:
        return len(self._followed)

    def follow(self, turn_id: str, after: StreamPosition | None, cause: Cause) -> list[Action]:
        """Follows a turn, unless it is followed already."""
        return [] if turn_id in self._followed else self.resume(turn_id, after, cause)

    def resume(self, turn_id: str, after: StreamPosition | None, cause: Cause) -> list[Action]:
        """Follows a turn from a place; a follow of it that is under way ends."""
        again: list[Action] = [Stop(key_of(turn_id))] if turn_id in self._followed else []
        self._followed[turn_id] = _Followed(cause, after)
        return [*again, self._open(turn_id, 0.0)]

    def progressed(self, turn_id: str, response: FollowTurnResponse) -> None:
        """Notes how far a turn has come."""
        followed = self._followed[turn_id]
        if response.WhichOneof("event") == "turn_event":
            event = response.turn_event
            followed.after = event.position
            followed.ended = event.WhichOneof("event") in LAST
            followed.attempts = 0

    def reopen(self) -> list[Action]:
        """Follows everything anew from where it is, but for turns that are over: those streams end
        by themselves."""
        going = [turn_id for turn_id, followed in self._followed.items() if not followed.ended]
        return [a for id_ in going for a in (Stop(key_of(id_)), self._open(id_, 0.0))]

    def cut(self, turn_id: str, error: KariError | None) -> Action | KariError | None:
        """A follow has ended. None if its turn has; else the next attempt, or what to tell."""
        followed = self._followed[turn_id]
        hopeless = error is not None and not error.may_retry
        if followed.ended or hopeless or followed.attempts == ATTEMPTS:
            del self._followed[turn_id]
            return None if followed.ended else error or CUT_OFF
        followed.attempts += 1
        return self._open(turn_id, FIRST_DELAY * 2 ** (followed.attempts - 1))

    def _open(self, turn_id: str, delay: float) -> Open:
        followed = self._followed[turn_id]
        request = FollowTurnRequest(turn_id=turn_id, after=followed.after)
        return Open(key_of(turn_id), FOLLOW, request, followed.cause, delay)


def key_of(turn_id: str) -> str:
    """Key of the stream that follows a turn."""
    return f"turn:{turn_id}"
