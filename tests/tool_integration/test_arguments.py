"""Arguments as models write them, and what is said about mistakes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest
from servers.tool_integration import arguments
from servers.tool_integration.schema import checked
from servers.tool_integration.tool import Tool

DEEP = '{"a":' * 40 + "1" + "}" * 40


@pytest.mark.parametrize("text", ["", "  \n", "{}", "{ }"])
def test_nothing_is_a_call_without_arguments(text: str) -> None:
    assert arguments.parsed(text) == {}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{", "not JSON"),
        ("expression=1", "not JSON"),
        ("[1]", "not a JSON object"),
        ('"{}"', "not a JSON object"),
        ("null", "not a JSON object"),
        ('{"a": NaN}', "NaN is no JSON"),
        ('{"a": -Infinity}', "-Infinity is no JSON"),
        ('{"a": 1e999}', "too large"),
        ('{"a": ' + "9" * 5000 + "}", "not JSON"),
        ('{"a": 1, "a": 2}', "`a` is there twice"),
        ('{"a": {"b": 1, "b": 1}}', "`b` is there twice"),
        ('{"a": "' + "x" * 65536 + '"}', "larger than 65536 bytes"),
        ('{"a": "' + "ß" * 40000 + '"}', "larger than 65536 bytes"),
        (DEEP, "deeper than 32 levels"),
        ("[" * 60000, "deeper than 32 levels"),
        ('{"a":' * 10000, "deeper than 32 levels"),
        ('{"a": 1} trailing', "not JSON"),
        ("{'a': 1}", "not JSON"),
        ('{"a": "\\ud800"}', "half a character"),
        ('{"\\uDFFF": [1]}', "half a character"),
        ('{"a": ["\\ude00\\ud83d"]}', "half a character"),
    ],
)
def test_what_is_no_strict_json_object_is_refused(text: str, wrong: str) -> None:
    """The message says how; the model can mend it."""
    with pytest.raises(InvalidRequest) as caught:
        arguments.parsed(text)
    assert caught.value.reason == Reason.REASON_TOOL_ARGUMENTS
    assert wrong in caught.value.message
    assert caught.value.violations[0][0] == "arguments_json"


def test_two_halves_are_a_character() -> None:
    assert arguments.parsed('{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_every_object_comes_through_as_it_is(value: dict[str, Any]) -> None:
    """Arguments are validated, never changed."""
    assert arguments.parsed(json.dumps(value)) == value


TOOL = Tool(
    "x",
    "x",
    "x",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 1},
            "days": {
                "type": "array",
                "maxItems": 2,
                "items": {
                    "type": "object",
                    "properties": {"from": {"type": "integer"}},
                    "required": ["from"],
                },
            },
            "unit": {"enum": ["c", "f"]},
        },
        "required": ["city"],
        "additionalProperties": False,
    },
)


@pytest.mark.parametrize(
    ("given_", "path", "what"),
    [
        ({}, "city", "is missing"),
        ({"city": 3}, "city", "is not of type 'string'"),
        ({"city": ""}, "city", "should be non-empty"),
        ({"city": "x", "days": [{}]}, "days[0].from", "is missing"),
        ({"city": "x", "days": [{"from": 1}, {"from": "y"}]}, "days[1].from", "'integer'"),
        ({"city": "x", "unit": "k"}, "unit", "is not one of"),
        ({"city": "x", "colour": 1}, "colour", "is not known"),
        ({"city": "x", "days": [{"from": 1}] * 3}, "days", "is too long"),
    ],
)
def test_what_breaks_the_schema_is_named_by_its_path(
    given_: dict[str, Any], path: str, what: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        arguments.check(TOOL, given_)
    assert caught.value.reason == Reason.REASON_TOOL_ARGUMENTS
    assert caught.value.violations[0][0] == path
    assert what in caught.value.violations[0][1]
    assert f"`{path}`" in caught.value.message


def test_of_many_mistakes_ten_are_named() -> None:
    """And a long value is not told in full."""
    with pytest.raises(InvalidRequest) as caught:
        arguments.check(TOOL, {f"x{n}": "y" * 1000 for n in range(50)})
    assert len(caught.value.violations) == 10
    with pytest.raises(InvalidRequest) as caught:
        arguments.check(TOOL, {"city": ["y" * 10_000]})
    assert len(caught.value.message) < 400


def test_a_schema_reaches_for_nothing_outside_of_itself() -> None:
    """What it refers to by address is not fetched: the tool is not used."""
    afield = Tool("x", "x", "x", {"type": "object", "$ref": "http://127.0.0.1:9/schema"})
    assert "http://127.0.0.1:9/schema leads nowhere within it" in checked(afield)
