"""What the scripted provider does with a request.

A model has a list of scripts, one a request, the last for ever. A model without any is told by its
name: `plain` or `plain-64` (so many chunks), `slow-64` (20 ms between them), `status-500`,
`limited` (429, Retry-After 1), `silent` (hangs before its headers), `stuck` (hangs after some
text), `cut` (breaks off after some text), `garbage`, `reasoning`; `limit-length` stops for length.
"""

from enum import StrEnum

import msgspec


class Ending(StrEnum):
    """How an answer ends."""

    COMPLETE = "complete"
    UNFINISHED = "unfinished"
    """The body ends properly, but nothing said that the answer is complete."""
    CUT = "cut"
    """The connection is dropped."""
    HANG = "hang"
    """Nothing more comes."""
    GARBAGE = "garbage"
    """An event that is not JSON."""
    ERROR = "error"
    """An error inside the stream."""


class Script(msgspec.Struct, frozen=True):
    """One answer. Delays in seconds; `delay` is before each chunk but the first, `first_delay`
    before the headers. `silent` hangs there for ever."""

    status: int = 200
    retry_after: str = ""
    silent: bool = False
    first_delay: float = 0.0
    delay: float = 0.0
    reasoning: tuple[str, ...] = ()
    chunks: tuple[str, ...] = ("Hello", " from", " upstream", ".")
    ending: Ending = Ending.COMPLETE
    finish: str = "stop"
    prompt_tokens: int = 7
    completion_tokens: int = 4
    reports_usage: bool = True
    keepalives: int = 0


def named(model: str) -> Script:
    """The script that a model's name tells."""
    word, _, number = model.partition("-")
    if word in ("plain", "slow") and number.isdigit():
        chunks = tuple(f"word{i} " for i in range(int(number)))
        delay = 0.02 if word == "slow" else 0.0
        return Script(chunks=chunks, completion_tokens=len(chunks), delay=delay)
    if word == "status" and number.isdigit():
        return Script(status=int(number))
    return NAMED.get(model, Script())


NAMED = {
    "limited": Script(status=429, retry_after="1"),
    "silent": Script(silent=True),
    "stuck": Script(ending=Ending.HANG),
    "cut": Script(ending=Ending.CUT),
    "garbage": Script(chunks=(), ending=Ending.GARBAGE),
    "reasoning": Script(reasoning=("Let me", " think.")),
    "limit-length": Script(finish="length"),
}
