"""Arguments of earlier calls as protocols take them back: only objects. Pure."""

import msgspec

AS_WRITTEN = "arguments_as_written"
"""The one member of the object that stands for arguments that are none: some providers refuse a
request whose history has anything else, and the model is to see what it wrote."""


def as_object_text(text: str) -> str:
    """The arguments as the text of a JSON object, unchanged if they are one."""
    try:
        msgspec.json.decode(text, type=dict)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode({AS_WRITTEN: text}).decode()
    return text
