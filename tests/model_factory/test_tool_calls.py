"""Answers that ask for tools: real streams over loopback, of both kinds of providers."""

import re
from collections.abc import Callable

from kari.conversation_models.v1.model_pb2 import FinishReason
from servers.model_factory.answer import Step, ToolCalled
from servers.model_factory.factory import ModelFactory
from servers.model_factory.prompting import Wanted
from tests.model_factory.conftest import end_of, says, steps_of, text_of
from tests.model_factory.tools import CALCULATOR, RESEARCHER
from tests.upstream.script import asks_for, call
from tests.upstream.server import Upstream

FactoryOf = Callable[..., ModelFactory]
WANTED = Wanted(says("Be brief.", "What is 6*7?"), 0, 0.7, (CALCULATOR, RESEARCHER))


def called(steps: list[Step]) -> list[tuple[str, str]]:
    """Tools and arguments that an answer asks for."""
    return [(step.tool_id, step.arguments) for step in steps if isinstance(step, ToolCalled)]


async def test_calls_come_whole_after_all_text_and_before_the_end(
    factory_of: FactoryOf, upstream: Upstream, provider: str
) -> None:
    first = call("capsule.web_researcher", query="ships")
    upstream.scripts["m"] = [asks_for(first, call("calculator", expression="6*7"), text="Hm.")]
    steps = await steps_of(factory_of("m"), f"{provider}/m", wanted=WANTED)
    assert text_of(steps) == "Hm."
    assert called(steps[-3:]) == [
        ("capsule.web_researcher", '{"query":"ships"}'),
        ("calculator", '{"expression":"6*7"}'),
    ]
    assert end_of(steps).reason == FinishReason.FINISH_REASON_TOOL_CALLS
    ids = {step.call_id for step in steps if isinstance(step, ToolCalled)}
    assert len(ids) == 2
    assert all(re.fullmatch("call_[0-9a-f]{32}", call_id) for call_id in ids)
