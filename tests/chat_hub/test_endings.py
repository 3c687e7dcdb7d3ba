"""The end of a turn from storage."""

import pytest

from kari.conversation_manager.v1.conversation_manager_pb2 import GetTurnResponse
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.turn_pb2 import Turn, TurnState
from kari.errors.v1.errors_pb2 import ErrorEnvelope
from servers.chat_hub.endings import end_of, is_over

ENDS = {"COMPLETED": "completed", "FAILED": "failed", "CANCELLED": "cancelled"}


@pytest.mark.parametrize("state", TurnState.keys())
def test_a_turn_is_over_in_its_three_last_states(state: str) -> None:
    name = state.removeprefix("TURN_STATE_")
    assert is_over(Turn(state=TurnState.Value(state))) == (name in ENDS)


@pytest.mark.parametrize(("name", "kind"), ENDS.items())
def test_the_end_is_that_of_the_turn_with_its_message(name: str, kind: str) -> None:
    turn = Turn(id="turn_1", state=TurnState.Value(f"TURN_STATE_{name}"), correlation_id="corr")
    turn.error.CopyFrom(ErrorEnvelope(message="why"))
    event = end_of(GetTurnResponse(turn=turn, answer=Message(content="text")))
    assert event.WhichOneof("event") == kind
    assert getattr(event, kind).message.content == "text"
    assert (event.correlation_id, event.position.stream_id) == ("corr", "turn_1")
    assert event.position.seq == 0


def test_a_turn_without_an_answer_ends_without_one() -> None:
    turn = Turn(state=TurnState.TURN_STATE_CANCELLED)
    assert not end_of(GetTurnResponse(turn=turn)).cancelled.HasField("message")
