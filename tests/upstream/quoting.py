"""The model named `quoting`: it answers from the pieces of files that stand in its prompt.

Of all pieces it says the one that has the most words of its user's last message, as
`report.pdf, page 3: the text`; `No file says so.` without any that has one. Images that it is shown
are counted at the end: ` [2 images]`.
"""

import re
from typing import Any

from tests.upstream.script import Script, says

_PIECE = re.compile(r"^- \[([^\]\n]*)\]\n((?:\| [^\n]*(?:\n|\Z))+)", re.MULTILINE)


def quote(body: dict[str, Any]) -> Script:
    """The answer to a request of either protocol."""
    prompt = "\n".join([_text(body.get("system")), *(_text(m["content"]) for m in _system(body))])
    asked = next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user")
    wanted = _words(_text(asked))
    pieces = [
        (where, " ".join(line[2:] for line in lines.splitlines()))
        for where, lines in _PIECE.findall(prompt)
    ]
    best = max(pieces, key=lambda piece: len(wanted & _words(piece[1])), default=("", ""))
    said = f"{best[0]}: {best[1]}" if wanted & _words(best[1]) else "No file says so."
    shown = _images(asked)
    return says(said, f" [{shown} images]") if shown else says(said)


def _system(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [message for message in body["messages"] if message["role"] == "system"]


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 3}


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(block.get("text", "") for block in content)
    return content or ""


def _images(content: Any) -> int:
    if not isinstance(content, list):
        return 0
    return sum(block.get("type") in ("image", "image_url") for block in content)
