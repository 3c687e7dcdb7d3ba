"""Calls of tools out of the pieces in which they are streamed. Pure."""

from dataclasses import dataclass, field

from servers.model_factory.answer import Called
from servers.model_factory.failure import Kind, ProviderFailure
from servers.model_factory.tool_names import ToolNames

MOST_CHARACTERS = 200_000
"""Of the arguments of one call, as the contract has it; and of those of all calls of an answer,
twice as many."""

MOST_CALLS = 128
"""Calls of one answer, as many as there may be tools."""


@dataclass(slots=True)
class _Call:
    """A call that is being written."""

    id: str
    name: str
    pieces: list[str] = field(default_factory=list)
    characters: int = 0


class ToolPieces:
    """The calls of one answer. Too long or too many of them are a failure of the provider."""

    def __init__(self, names: ToolNames) -> None:
        self._names = names
        self._calls: list[_Call] = []
        self._open: dict[int, _Call] = {}
        self._characters = 0

    def begin(self, index: int, call_id: str = "", name: str = "") -> None:
        """A new call has this index from here on, whoever had it before."""
        if len(self._calls) == MOST_CALLS:
            raise ProviderFailure(Kind.EXCESSIVE, code="too_many_tool_calls")
        self._open[index] = _Call(call_id, name)
        self._calls.append(self._open[index])

    def close(self, index: int) -> None:
        """What comes with this index is no longer part of a call."""
        self._open.pop(index, None)

    def add(self, index: int, text: str) -> None:
        """A piece of the arguments; one of no call is read over."""
        call = self._open.get(index)
        if call is None:
            return
        call.pieces.append(text)
        call.characters += len(text)
        self._characters += len(text)
        if call.characters > MOST_CHARACTERS or self._characters > 2 * MOST_CHARACTERS:
            raise ProviderFailure(Kind.EXCESSIVE, code="tool_arguments_too_long")

    def take(self, index: int | None, call_id: str, name: str, text: str) -> bool:
        """A piece as chat completions send them: the first of a call has its id and its name.
        False if it is a piece of no call.

        Some servers give every call the same index, or none: then another id, or another name
        where there are no ids, begins the next call.
        """
        place = self._last if index is None else index
        call = self._open.get(place)
        if call is None or _is_other(call, call_id, name):
            if not call_id and not name:
                return False
            place = len(self._calls) if index is None else index
            self.begin(place, call_id, name)
        else:
            call.id, call.name = call.id or call_id, call.name or name
        if text:
            self.add(place, text)
        return True

    def whole(self) -> list[Called]:
        """The calls, in the order in which they were begun; once. No arguments are an empty
        object. ProviderFailure if one has no name."""
        calls, self._calls = self._calls, []
        if any(not call.name for call in calls):
            raise ProviderFailure(Kind.GARBAGE, code="tool_call_without_name")
        texts = ("".join(call.pieces) for call in calls)
        return [
            Called(self._names.tool_id(call.name), text if text.strip() else "{}")
            for call, text in zip(calls, texts, strict=True)
        ]

    @property
    def _last(self) -> int:
        return next(reversed(self._open), 0)


def _is_other(call: _Call, call_id: str, name: str) -> bool:
    """Whether a piece belongs to another call than the one that has its index."""
    if call_id and call.id:
        return call_id != call.id
    return bool(name and call.name and name != call.name)
