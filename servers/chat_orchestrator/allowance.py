"""How much of tools a turn may have: rounds, calls, the same call again. Pure.

A model that asks for ever, for a hundred things at once or for what cannot be asked for gets a
result that says so, like any other: it can go on with that, and the turn ends.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Set

from kari.conversation_models.v1.tool_pb2 import ToolCall, ToolStep
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Conflict
from servers.runtime.ids import new_id

MOST_AT_ONCE = 100
"""Most calls that one round of a model is read for: the contract's largest record of steps."""

SAME_CALLS = 2
"""How often a turn makes the very same call."""

MOST_ARGUMENTS = 200_000
"""Most characters of a call's arguments, as the contract has it. What is cut off at that is no JSON
any more and is refused as such, where it is audited."""
MOST_ARGUMENTS_AT_ONCE = 1_000_000
"""Most bytes of all arguments of a round; they travel in one message."""
CUT_ARGUMENTS = 200

_CALL_ID = re.compile(r"call_[0-9a-f]{32}")
_ODD = re.compile(r"[^\x21-\x7e]+")


class Allowance:
    """What is left of a turn's rounds and calls."""

    def __init__(self, rounds: int, calls: int) -> None:
        self._most_rounds = rounds
        self._most_calls = calls
        self.round = 0
        """The round whose calls were admitted last."""
        self.ids: set[str] = set()
        self._calls = 0
        self._same: Counter[tuple[str, str]] = Counter()

    @property
    def spent(self) -> str:
        """The setting that lets no more calls be made; empty if there may be some."""
        if self.round >= self._most_rounds:
            return "tool_rounds"
        return "tool_calls" if self._calls >= self._most_calls else ""

    def note(self, steps: Iterable[ToolStep]) -> None:
        """Takes off what an earlier leader of the turn had called."""
        for step in steps:
            self.round = max(self.round, step.round)
            self._take(step.call)

    def begin_round(self) -> None:
        """The model asked for calls once more."""
        self.round += 1

    def admit(self, call: ToolCall) -> Conflict | None:
        """Counts a call; why it may not be made if it may not."""
        if self.round > self._most_rounds:
            return _limit("tool_rounds", self._most_rounds, "has asked for tools as often")
        if self._calls >= self._most_calls:
            return _limit("tool_calls", self._most_calls, "has made as many calls of tools")
        same = self._take(call)
        if same > SAME_CALLS:
            return _limit("same_call", SAME_CALLS, "has made this very call as often")
        return None

    def _take(self, call: ToolCall) -> int:
        self.ids.add(call.id)
        self._calls += 1
        key = (call.tool_id, canonical(call.arguments_json))
        self._same[key] += 1
        return self._same[key]


def canonical(arguments_json: str) -> str:
    """Arguments in one spelling: the same object gives the same text. What is no JSON stays."""
    try:
        return json.dumps(json.loads(arguments_json), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return arguments_json


def orderly(calls: Iterable[ToolCall], known_ids: Set[str]) -> Iterator[ToolCall]:
    """The calls of a round as they can be recorded and passed on: with ids of their own, names that
    are names and arguments of a bounded size."""
    seen, room = set(known_ids), MOST_ARGUMENTS_AT_ONCE
    for call in calls:
        # What was asked without any is never taken for what was lost on its way.
        arguments = call.arguments_json[:MOST_ARGUMENTS] or "{}"
        size = len(arguments.encode())
        if size > room:
            arguments = arguments[:CUT_ARGUMENTS]
        room -= min(room, size)
        fresh = _CALL_ID.fullmatch(call.id) and call.id not in seen
        id_ = call.id if fresh else new_id("call")
        seen.add(id_)
        yield ToolCall(id=id_, tool_id=_named(call.tool_id), arguments_json=arguments)


def _named(tool_id: str) -> str:
    return _ODD.sub("_", tool_id)[:200] or "_"


def _limit(setting: str, most: int, how_often: str) -> Conflict:
    return Conflict(
        Reason.REASON_TOOL_LIMIT,
        f"this turn {how_often} as it may ({most}); answer with what there is",
        limit=setting,
        most=most,
    )
