"""What went wrong in a call of a tool without ending it, as its result's metadata have it. Pure."""

from kari.conversation_models.v1.tool_pb2 import ToolResult

WARNINGS = "warnings"
"""The field of the metadata: a list of texts. They are the tool's words, not to be trusted."""


def warnings_of(result: ToolResult) -> list[str]:
    """The warnings, each on one line; what a tool put there that is no text is left out."""
    fields = result.metadata.fields
    found = fields[WARNINGS].list_value.values if WARNINGS in fields else ()
    lines = (" ".join(each.string_value.split()) for each in found)
    return [line for line in lines if line]
