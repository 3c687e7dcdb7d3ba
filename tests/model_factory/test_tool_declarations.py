"""Tools as models are told of them. No event loop."""

from typing import Any

import pytest

from kari.conversation_models.v1.tool_pb2 import Tool
from kari.errors.v1.errors_pb2 import Reason
from servers.model_factory import wire_anthropic, wire_openai
from servers.model_factory.configuration import ModelEntry
from servers.model_factory.provider import Prompt
from servers.model_factory.tool_declarations import check, schema_of
from servers.runtime.errors import InvalidRequest
from tests.model_factory.conftest import says
from tests.model_factory.tools import CALCULATOR, RESEARCHER
from tests.model_factory.vendors import approved

WANTED = {"type": "object", "properties": {"expression": {"type": "string"}}}


def told(provider: str, *tools: Tool) -> list[dict[str, Any]]:
    """What a model is told of tools, by name, description and schema."""
    prompt = Prompt(ModelEntry(id="m"), says("S", "Hi"), 9, 0.5, tools)
    if provider == "anthropic":
        body = approved(provider, wire_anthropic.body(prompt))
        fields = {"input_schema": "parameters"}
        return [{fields.get(k, k): v for k, v in tool.items()} for tool in body["tools"]]
    body = approved(provider, wire_openai.body(prompt, reports_usage=True))
    return [tool["function"] for tool in body["tools"]]


def test_tools_are_told_with_name_description_and_schema(provider: str) -> None:
    empty = {"type": "object", "properties": {}}
    assert told(provider, CALCULATOR, RESEARCHER) == [
        {"name": "calculator", "description": "Reckons.", "parameters": WANTED},
        {"name": "capsule_web_researcher", "description": "Researches.", "parameters": empty},
    ]


def test_without_tools_nothing_is_said_of_them() -> None:
    prompt = Prompt(ModelEntry(id="m"), says("S", "Hi"), 9, 0.5)
    assert "tools" not in wire_openai.body(prompt, reports_usage=True)
    assert "tools" not in wire_anthropic.body(prompt)


@pytest.mark.parametrize("key", ["oneOf", "anyOf", "allOf", "not", "enum"])
def test_what_providers_refuse_at_the_top_of_a_schema_is_left_out(key: str) -> None:
    schema = f'{{"{key}":[],"properties":{{"expression":{{"type":"string"}}}}}}'
    assert schema_of(Tool(parameters_schema=schema)) == WANTED


def test_a_description_that_is_too_long_for_openai_is_cut_there() -> None:
    long = Tool(id="t", description="x" * 5000)
    assert len(told("openai", long)[0]["description"]) == 1024
    assert len(told("anthropic", long)[0]["description"]) == 5000


def test_a_tool_without_a_description_is_told_by_its_name(provider: str) -> None:
    assert told(provider, Tool(id="t", name="Tea"))[0]["description"] == "Tea"


@pytest.mark.parametrize("schema", ["{", "[]", "3", "[" * 100_000, '{"a":' * 100_000])
def test_a_schema_that_cannot_be_read_is_refused_with_its_field(schema: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check([CALCULATOR, Tool(id="broken", parameters_schema=schema)])
    assert caught.value.reason == Reason.REASON_FIELD_INVALID
    assert caught.value.violations[0][0] == "tools[1].parameters_schema"
    assert "`broken`" in caught.value.message


def test_a_tool_that_is_there_twice_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"tools\[1\]\.id"):
        check([CALCULATOR, CALCULATOR])
