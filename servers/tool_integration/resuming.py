"""The schema of a capsule that can go on with a run: its input, or the run instead. Pure."""

from collections.abc import Mapping

from servers.tool_integration.tool import Json, Schema

RESUME = "resume_run_id"
RESUMES: Schema = {
    "type": "string",
    "pattern": "^run_[0-9a-f]{32}$",
    "description": "A run of before that did not come to its end, to go on with it; then nothing "
    "else is needed.",
}
PLAIN = {"$schema", "$comment", "$defs", "title", "description", "type"} | {
    *("properties", "required", "additionalProperties")
}
"""What most schemas are made of: `required` is all in them that a run in its place breaks."""
NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
"""Keywords with schemas by names, which are no keywords."""
DATA = ("const", "enum", "default", "examples")
"""Keywords with values, which are no schemas."""
OWN = "#/else"


def resuming(schema: Schema) -> dict[str, Json]:
    """The schema of an input, with a run to go on with in the place of what it asks for. Its
    properties stay where models look for them."""
    properties = {**schema.get("properties", {}), RESUME: RESUMES}
    if schema.keys() <= PLAIN:
        changed = {**schema, "properties": properties}
        if required := changed.pop("required", []):
            changed |= {"if": {"not": {"required": [RESUME]}}, "then": {"required": required}}
        return changed
    named = isinstance(schema.get("$id"), str)
    shown = _moved({"properties": properties}, f"{schema['$id']}#" if named else OWN)
    own = dict(schema) if named else _moved(schema, OWN)
    return {"type": "object", **shown, "if": {"required": [RESUME]}, "else": own}


def _moved(schema: Mapping[str, Json], to: str) -> dict[str, Json]:
    """The schema with its references into itself leading to where it is now."""
    return {keyword: _in(keyword, value, to) for keyword, value in schema.items()}


def _in(keyword: str, value: Json, to: str) -> Json:
    if keyword == "$ref" and isinstance(value, str) and (value == "#" or value[:2] == "#/"):
        return to + value[1:]
    if keyword in DATA:
        return value
    if keyword in NAMED and isinstance(value, Mapping):
        return {name: _schema(each, to) for name, each in value.items()}
    if isinstance(value, list):
        return [_schema(each, to) for each in value]
    return _schema(value, to)


def _schema(value: Json, to: str) -> Json:
    """One with an `$id` is the root of its own references."""
    return _moved(value, to) if isinstance(value, Mapping) and "$id" not in value else value
