"""Capsules that are asked about files."""

from pathlib import Path

from tests.capsules.workshop import handler, manifest, write

BODIES = {
    "customs": """
given = skill.input
if "contraband" in given["text"]:
    return {"verdict": "refuse", "reason": "contraband is not let in"}
return {"verdict": "pass"}
""",
    "labels": """
given = dict(skill.input)
skill.warn("it reads English alone")
skill.measure("words", 3)
return {"verdict": "pass", "reason": "labelled", "metadata": {"seen": given}}
""",
    "breaks": """
if "words" in skill.input["text"]:
    return {"text": "this is no answer"}
raise ValueError("secret")
""",
}
LABELLER = "chat.labels"
"""Role that one of them asks for."""


def shelved(folder: Path) -> None:
    """Puts them into a folder."""
    for name, body in BODIES.items():
        more = f'required_roles = ["{LABELLER}"]' if name == "labels" else ""
        write(folder / name, manifest=manifest(name, more), handler=handler(body))
