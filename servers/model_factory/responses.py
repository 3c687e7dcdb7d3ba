"""Steps of an answer as the contract says them. Pure."""

from kari.conversation_models.v1.degradation_pb2 import Degradation
from kari.conversation_models.v1.model_pb2 import Usage
from kari.conversation_models.v1.tool_pb2 import ToolCall
from kari.model_factory.v1 import model_factory_pb2 as pb
from servers.model_factory.answer import (
    Degraded,
    Finished,
    Reasoning,
    Started,
    Step,
    Switched,
    Text,
    ToolCalled,
)
from servers.runtime.durations import duration


def response(step: Step, correlation_id: str) -> pb.GenerateResponse:
    """One step of an answer."""
    match step:
        case Text(text):
            return pb.GenerateResponse(delta=text)
        case Reasoning(text):
            return pb.GenerateResponse(reasoning=text)
        case Started(model, attempt):
            return pb.GenerateResponse(started=pb.Started(model=model, attempt=attempt))
        case ToolCalled(call_id, tool_id, arguments):
            call = ToolCall(id=call_id, tool_id=tool_id, arguments_json=arguments)
            return pb.GenerateResponse(tool_call=call)
        case Switched(from_model, to_model, error):
            envelope = error.envelope(correlation_id)
            switched = pb.Switched(from_model=from_model, to_model=to_model, error=envelope)
            return pb.GenerateResponse(switched=switched)
        case Degraded(feature, cause):
            return pb.GenerateResponse(degraded=Degradation(feature=feature, cause=cause))
        case Finished():
            return pb.GenerateResponse(finished=_finished(step))


def _finished(step: Finished) -> pb.Finished:
    usage = Usage(
        prompt_tokens=step.prompt_tokens,
        completion_tokens=step.completion_tokens,
        duration=duration(step.seconds),
    )
    if step.first_text_seconds is not None:
        usage.time_to_first_token.CopyFrom(duration(step.first_text_seconds))
    return pb.Finished(reason=step.reason, usage=usage)
