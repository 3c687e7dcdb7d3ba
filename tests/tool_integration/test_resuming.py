"""A capsule that can go on with a run takes the run alone, whatever its input has to be."""

from typing import Any

import pytest

from servers.tool_integration.resuming import resuming
from servers.tool_integration.schema import checked, violations
from servers.tool_integration.tool import Tool

RUN = {"resume_run_id": "run_" + "0" * 32}
NAME = {"n": {"type": "integer"}, "name": {"type": "string"}}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "required": (
        {"required": ["n"], "additionalProperties": False},
        {"n": 1},
        {"name": "a"},
    ),
    "one of two": (
        {"anyOf": [{"required": ["n"]}, {"required": ["name"]}]},
        {"name": "a"},
        {},
    ),
    "if and else": (
        {
            "if": {"required": ["n"]},
            "then": {"properties": {"n": {"minimum": 5}}},
            "else": {"required": ["name"]},
        },
        {"n": 5},
        {"n": 4},
    ),
    "else alone is broken": (
        {"if": {"required": ["n"]}, "else": {"required": ["name"]}},
        {"name": "a"},
        {},
    ),
    "a number of properties": ({"minProperties": 2}, {"n": 1, "name": "a"}, {"n": 1}),
    "names of its own": (
        {
            "allOf": [{"$ref": "#/$defs/whole"}],
            "$defs": {"whole": {"required": ["n"]}, "default": {"$ref": "#/$defs/whole"}},
        },
        {"n": 1},
        {"name": "a"},
    ),
    "an id": (
        {
            "$id": "urn:example:input",
            "allOf": [{"$ref": "#/$defs/whole"}],
            "$defs": {"whole": {"required": ["n"]}},
        },
        {"n": 1},
        {"name": "a"},
    ),
    "properties that refer": (
        {
            "properties": {"tree": {"$ref": "#"}, "n": {"$ref": "#/allOf/0/properties/m"}},
            "allOf": [{"properties": {"m": {"type": "integer"}}}],
            "required": ["n"],
        },
        {"n": 1, "tree": {"n": 2}},
        {"n": 1, "tree": RUN},
    ),
}


@pytest.mark.parametrize(("schema", "good", "bad"), CASES.values(), ids=CASES)
def test_a_run_alone_is_enough(
    schema: dict[str, Any], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    """Without one the input is checked as its author wrote it."""
    parameters = resuming({"type": "object", "properties": NAME, **schema})
    assert checked(Tool("capsule.a", "a", "Does a.", parameters)) == ""
    assert set(parameters["properties"]) > {"n", "resume_run_id"}
    assert violations(parameters, RUN) == []
    assert violations(parameters, good) == []
    assert violations(parameters, bad)
    assert violations(parameters, {"resume_run_id": "run_1"})
