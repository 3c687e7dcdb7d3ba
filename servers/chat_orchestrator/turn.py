"""A turn's state changes only here. Nothing here knows who called."""

from collections.abc import Mapping
from types import MappingProxyType

from kari.conversation_models.v1.turn_pb2 import TurnState

ACCEPTED = TurnState.TURN_STATE_ACCEPTED
ASSEMBLING = TurnState.TURN_STATE_ASSEMBLING
GENERATING = TurnState.TURN_STATE_GENERATING
RUNNING_TOOL = TurnState.TURN_STATE_RUNNING_TOOL
AWAITING_APPROVAL = TurnState.TURN_STATE_AWAITING_APPROVAL
COMMITTING = TurnState.TURN_STATE_COMMITTING
COMPLETED = TurnState.TURN_STATE_COMPLETED
FAILED = TurnState.TURN_STATE_FAILED
CANCELLED = TurnState.TURN_STATE_CANCELLED

ENDED = frozenset({COMPLETED, FAILED, CANCELLED})

TRANSITIONS: Mapping[TurnState.ValueType, frozenset[TurnState.ValueType]] = MappingProxyType(
    {
        ACCEPTED: frozenset({ASSEMBLING, CANCELLED}),
        ASSEMBLING: frozenset({GENERATING, RUNNING_TOOL, COMMITTING}),
        GENERATING: frozenset({RUNNING_TOOL, COMMITTING}),
        RUNNING_TOOL: frozenset({GENERATING, AWAITING_APPROVAL, COMMITTING}),
        # Nobody leads it, so it may be called off without being committed by a leader.
        AWAITING_APPROVAL: frozenset({RUNNING_TOOL, COMMITTING, CANCELLED}),
        COMMITTING: ENDED,
        COMPLETED: frozenset(),
        FAILED: frozenset(),
        CANCELLED: frozenset(),
    }
)


class IllegalTransition(Exception):
    """A defect: a turn was asked to go where it cannot."""


def advance(state: TurnState.ValueType, to: TurnState.ValueType) -> TurnState.ValueType:
    """The next state; IllegalTransition if the table has no such arrow."""
    if to not in TRANSITIONS[state]:
        raise IllegalTransition(f"{TurnState.Name(state)} -> {TurnState.Name(to)}")
    return to


def end(state: TurnState.ValueType, to: TurnState.ValueType) -> TurnState.ValueType:
    """The end state, through committing."""
    return advance(advance(state, COMMITTING), to)
