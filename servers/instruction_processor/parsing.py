"""Texts into command lines and a message, command lines into names and arguments. Pure."""

import shlex
from dataclasses import dataclass

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest


@dataclass(frozen=True)
class Line:
    """One command line. `arguments` is what follows the name, as typed."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Parts:
    """A text: the command lines it starts with, and the message that follows them."""

    lines: tuple[Line, ...]
    message: str


MOST_LINES = 20
"""The contract's most instructions of a turn."""


def parts_of(content: str) -> Parts:
    """Splits a text. Lines that start with a slash are commands until the first one that does not;
    blank lines before, between and after them do not count. InvalidRequest for too many."""
    lines, raw = list[Line](), content.split("\n")
    for index, line in enumerate(raw):
        if line.startswith("/"):
            if len(lines) == MOST_LINES:
                raise invalid("commands", f"may be {MOST_LINES} at the most in one text")
            lines.append(_line(line))
        elif line.strip():
            return Parts(tuple(lines), "\n".join(raw[index:]).strip("\r\n"))
    return Parts(tuple(lines), "")


def words_of(arguments: str) -> list[str]:
    """Words as a shell splits them: quotes keep spaces, a backslash keeps what follows it."""
    try:
        return shlex.split(arguments)
    except ValueError:
        raise invalid("arguments", "has a quote that is not closed") from None


def pairs_of(words: list[str]) -> dict[str, str]:
    """Words of the form `name=value`."""
    pairs = dict[str, str]()
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise invalid("trait", "has to be written as name=value")
        if name in pairs:
            raise invalid("trait", "is there twice")
        pairs[name] = value
    return pairs


def invalid(argument: str, wrong: str) -> InvalidRequest:
    """An argument that is wrong. It is named, never quoted: it may be private."""
    return InvalidRequest(
        Reason.REASON_FIELD_INVALID,
        f"`{argument}` {wrong}",
        violations=[("content", f"{argument} {wrong}")],
        argument=argument,
    )


def _line(line: str) -> Line:
    name, _, arguments = line[1:].strip().partition(" ")
    return Line(name.lower(), arguments.strip())
