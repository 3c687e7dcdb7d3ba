"""A program's value as JSON."""

from servers.code_execution.within import json_text as json

LONGEST = 500_000


def json_of(value: object) -> str:
    """A value as JSON; empty if it has none, or a longer one."""
    if value is None:
        return ""
    try:
        text = json.dumps(value, allow_nan=False)
    except Exception:  # noqa: BLE001  # whatever a program's own classes raise, it is no JSON then
        return ""
    return text if len(text) <= LONGEST else ""
