"""What follows a command's name into arguments by name. Pure."""

from collections.abc import Callable, Mapping

from servers.instruction_processor.changes import MODES, NONE
from servers.instruction_processor.parsing import invalid, pairs_of, words_of

Read = Callable[[str], Mapping[str, str]]

LAST, ANSWER = "last", "answer"


def nothing(text: str) -> Mapping[str, str]:
    """No arguments at all."""
    if text:
        raise invalid("arguments", "are not expected here")
    return {}


def optional(name: str) -> Read:
    """One word or none."""

    def read(text: str) -> Mapping[str, str]:
        words = words_of(text)
        if len(words) > 1:
            raise invalid(name, "has to be one word; put quotes around several")
        return {name: words[0]} if words and words[0] else {}

    return read


def with_default(name: str, default: str) -> Read:
    """One word, or what it is without one."""
    read_word = optional(name)
    return lambda text: {name: default, **read_word(text)}


def whole(name: str, *, required: bool) -> Read:
    """All of the text as typed, quotes included."""

    def read(text: str) -> Mapping[str, str]:
        if required and not text:
            raise invalid(name, "is missing")
        return {name: text} if text else {}

    return read


def literal(word: str) -> Read:
    """One word that has to be written out, so that nothing is done by accident."""

    def read(text: str) -> Mapping[str, str]:
        if text.lower() != word:
            raise invalid("arguments", f"have to be `{word}`")
        return {}

    return read


def mode(text: str) -> Mapping[str, str]:
    """`mode MODE`."""
    words = [word.lower() for word in words_of(text)]
    if len(words) != 2 or words[0] != "mode":
        raise invalid("arguments", "have to be `mode` and a mode")
    if words[1] not in MODES:
        raise invalid("mode", f"has to be one of {', '.join(MODES)}")
    return {"mode": words[1]}


def persona(text: str) -> Mapping[str, str]:
    """`NAME [trait=value ...]`, or nothing."""
    words = words_of(text)
    if not words:
        return {}
    traits = pairs_of(words[1:])
    if "name" in traits:
        raise invalid("trait", "cannot be called `name`")
    if words[0] == NONE and traits:
        raise invalid("trait", "has no place without a persona")
    return {"name": words[0], **traits}


def participants(text: str) -> Mapping[str, str]:
    """`add USER_ID`, `remove USER_ID`, or nothing."""
    words = words_of(text)
    if not words:
        return {}
    if len(words) != 2 or words[0] not in ("add", "remove"):
        raise invalid("arguments", "have to be `add` or `remove` and a user id")
    return {"operation": words[0], "user": words[1]}
