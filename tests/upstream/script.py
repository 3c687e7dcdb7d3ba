"""What the scripted provider does with a request.

A model has a list of scripts, one a request, the last for ever. A model without any is told by its
name: `plain` or `plain-64` (so many chunks), `slow-64` (20 ms between them), `status-500`,
`limited` (429, Retry-After 1), `silent` (hangs before its headers), `stuck` (hangs after some
text), `cut` (breaks off after some text), `garbage`, `reasoning`; `limit-length` stops for length;
`obedient` calls the tools that its user names, `gullible` also those that a result names,
`retelling` is the first under the name of a model that calls none and is told what they gave,
`quoting` answers from the files in its prompt (see those modules).

A model that asks for a tool and then answers:
`upstream.scripts["m"] = [asks("calculator", expression="6*7"), says("It is 42.")]`.
"""

import re
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


class Call(msgspec.Struct, frozen=True):
    """A call of a tool: its name as it was declared, its arguments as a text, and in how many
    pieces they are sent. `index` and `id` are its place and its own if they are not given; an
    empty id is not sent."""

    name: str
    arguments: str = "{}"
    pieces: int = 3
    index: int | None = None
    id: str | None = None

    def cut(self) -> list[str]:
        """The arguments in pieces."""
        size = max(1, -(-len(self.arguments) // self.pieces))
        return [self.arguments[at : at + size] for at in range(0, len(self.arguments), size)]


class Script(msgspec.Struct, frozen=True):
    """One answer: reasoning, chunks of text, calls of tools. Delays in seconds; `delay` is before
    each chunk but the first, `first_delay` before the headers. `silent` hangs there for ever.
    With calls, `stop` is said as the protocol says that tools are wanted."""

    status: int = 200
    retry_after: str = ""
    silent: bool = False
    first_delay: float = 0.0
    delay: float = 0.0
    reasoning: tuple[str, ...] = ()
    chunks: tuple[str, ...] = ("Hello", " from", " upstream", ".")
    calls: tuple[Call, ...] = ()
    ending: Ending = Ending.COMPLETE
    finish: str = "stop"
    prompt_tokens: int = 7
    completion_tokens: int = 4
    reports_usage: bool = True
    keepalives: int = 0


def declared(tool_id: str) -> str:
    """What a tool is called on the wire, if no other one is called the same."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", tool_id)[:64]


def call(tool_id: str, /, **arguments: object) -> Call:
    """A call of a tool; its id may have dots."""
    return Call(declared(tool_id), msgspec.json.encode(arguments).decode())


def asks(tool_id: str, /, **arguments: object) -> Script:
    """An answer that asks for one tool and says nothing."""
    return asks_for(call(tool_id, **arguments))


def asks_for(*calls: Call, text: str = "") -> Script:
    """An answer that asks for several tools at once, after a text if there is one."""
    return Script(chunks=(text,) if text else (), calls=calls)


def says(*chunks: str) -> Script:
    """An answer of text."""
    return Script(chunks=chunks, completion_tokens=len(chunks))


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
