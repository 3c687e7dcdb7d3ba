"""The turn's automaton and the answer in the making: pure."""

import pytest

from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.model_pb2 import FinishReason, Model
from kari.conversation_models.v1.turn_pb2 import TextDelta, TurnEvent, TurnState
from kari.model_factory.v1.model_factory_pb2 import Finished, GenerateResponse, Started, Switched
from servers.chat_orchestrator import turn
from servers.chat_orchestrator.answer import Answer, merged
from servers.chat_orchestrator.prompt import budget, minimal


def test_every_state_is_in_the_table() -> None:
    """No state of the contract is forgotten."""
    states = {value for value in TurnState.values() if value}
    assert set(turn.TRANSITIONS) == states


def test_ended_turns_go_nowhere() -> None:
    """Completed, failed and cancelled are the end."""
    assert all(not turn.TRANSITIONS[state] for state in turn.ENDED)


def test_every_running_state_can_end() -> None:
    """Nothing stays generating for ever."""
    for state in (turn.ASSEMBLING, turn.GENERATING, turn.RUNNING_TOOL):
        assert turn.end(state, turn.FAILED) == turn.FAILED


def test_a_turn_cannot_skip_the_commit() -> None:
    """The end comes after it was written down."""
    with pytest.raises(turn.IllegalTransition, match="GENERATING -> TURN_STATE_COMPLETED"):
        turn.advance(turn.GENERATING, turn.COMPLETED)


def test_an_answer_collects_its_text() -> None:
    """Deltas in order are the text."""
    answer = Answer()
    for step in (
        GenerateResponse(started=Started(model="a/b")),
        GenerateResponse(delta="Hel"),
        GenerateResponse(delta="lo"),
        GenerateResponse(finished=Finished(reason=FinishReason.FINISH_REASON_STOP)),
    ):
        answer.take(step, 1.0)
    assert (answer.text, answer.model, answer.finished) == ("Hello", "a/b", True)


def test_a_switch_of_models_is_told() -> None:
    """What is missing by it, the factory says itself."""
    answer = Answer()
    switched = Switched(from_model="openai/x", to_model="local/y")
    missing = Degradation(feature=Feature.FEATURE_CHOSEN_MODEL, cause="openai/x")
    events = answer.take(GenerateResponse(switched=switched), 0.0)
    events += answer.take(GenerateResponse(degraded=missing), 0.0)
    events += answer.take(GenerateResponse(degraded=missing), 0.0)
    assert [e.WhichOneof("event") for e in events] == ["provider_switched", "degraded"]
    assert answer.degradations == [missing]


def test_neighbouring_deltas_become_one() -> None:
    """And nothing moves past another event."""
    delta = TurnEvent(delta=TextDelta(text="a"))
    other = TurnEvent(reasoning=TextDelta(text="r"))
    joined = merged([delta, delta, other, delta])
    assert [e.WhichOneof("event") for e in joined] == ["delta", "reasoning", "delta"]
    assert joined[0].delta.text == "aa"


@pytest.mark.parametrize(("window", "output"), [(2048, 512), (128_000, 16_000), (2048, 0)])
def test_a_prompt_leaves_room_for_its_answer(window: int, output: int) -> None:
    """A quarter of the window at the least."""
    room = budget(Model(context_window=window, max_output_tokens=output), 4096)
    assert room <= min(4096, window - window // 4)


def test_the_prompt_of_last_resort_has_a_system_message() -> None:
    """Small models fall apart without one."""
    roles = [message.role for message in minimal("hi", "").messages]
    assert roles == [3, 1]


def test_the_prompt_of_last_resort_keeps_the_conversations_instructions() -> None:
    """A rule that was set holds without the context integrator as well; bounded like the rest."""
    system, message = minimal("m" * 9_000, "Answer in French." + "x" * 9_000).messages
    assert system.content.startswith("You are Kari, a helpful assistant.\n\nAnswer in French.xx")
    assert (len(system.content) < 1_100, len(message.content)) == (True, 2_000)
