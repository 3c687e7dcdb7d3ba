"""Who watches what in this process, and what others are to be told of it. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kari.chat_hub.v1.chat_hub_pb2 import Presence, WatchResponse


class Seat(NamedTuple):
    """One user in one conversation, however many tabs show it."""

    tenant_id: str
    conversation_id: str
    user_id: str


class Attendance:
    """Counts the watchers of each seat, so that a second tab is not a second arrival."""

    def __init__(self) -> None:
        self._counts: Counter[Seat] = Counter()

    def enter(self, seats: Iterable[Seat]) -> list[Seat]:
        """Takes seats; gives those that were empty."""
        taken = []
        for seat in seats:
            self._counts[seat] += 1
            if self._counts[seat] == 1:
                taken.append(seat)
        return taken

    def leave(self, seats: Iterable[Seat]) -> list[Seat]:
        """Leaves seats; gives those that are empty now."""
        left = []
        for seat in seats:
            self._counts[seat] -= 1
            if not self._counts[seat]:
                del self._counts[seat]
                left.append(seat)
        return left

    def empty(self, seats: Iterable[Seat]) -> list[Seat]:
        """Those seats that nobody has."""
        return [seat for seat in seats if seat not in self._counts]

    def seats(self) -> list[Seat]:
        """The seats that are taken."""
        return list(self._counts)

    def users(self, tenant_id: str, conversation_id: str) -> set[str]:
        """Who is in a conversation."""
        return {s.user_id for s in self._counts if s[:2] == (tenant_id, conversation_id)}


def presence(conversation_id: str, user_id: str, *, present: bool) -> WatchResponse:
    """The news that somebody came or went."""
    return WatchResponse(
        presence=Presence(conversation_id=conversation_id, user_id=user_id, present=present)
    )


def differences(
    conversation_id: str, before: Iterable[str], now: Iterable[str]
) -> Iterator[WatchResponse]:
    """The news between two looks at a conversation."""
    was, there = set(before), set(now)
    for user in sorted(there - was):
        yield presence(conversation_id, user, present=True)
    for user in sorted(was - there):
        yield presence(conversation_id, user, present=False)
