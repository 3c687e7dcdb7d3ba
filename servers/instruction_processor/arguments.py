"""What follows a command's name into arguments by name. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence

from servers.instruction_processor.changes import MODES, NONE
from servers.instruction_processor.parsing import invalid, pairs_of, words_of

Read = Callable[[str], Mapping[str, str]]

LAST, ANSWER = "last", "answer"
HERE, ALL = "here", "all"
MOST_MEMORIES = 100
"""The contract's most memories of a request."""
STATEMENT_CHARACTERS = 2000
"""The contract's longest memory and query."""
_MEMORY_ID = re.compile(r"mem_[0-9a-f]{32}")


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


def one_of(name: str, words: Sequence[str]) -> Read:
    """One of some words, or none."""

    def read(text: str) -> Mapping[str, str]:
        word = text.lower()
        if word and word not in words:
            raise invalid(name, f"has to be one of {', '.join(words)}, or nothing")
        return {name: word} if word else {}

    return read


def search(text: str) -> Mapping[str, str]:
    """`[here] WORDS`, the words as typed."""
    if not text:
        raise invalid("words", "are missing")
    if len(text) > STATEMENT_CHARACTERS:
        raise invalid("words", f"may have {STATEMENT_CHARACTERS} characters at the most")
    first, _, rest = text.partition(" ")
    if first.lower() == HERE and rest.strip():
        return {"where": HERE, "words": rest.strip()}
    return {"words": text}


def statement(text: str) -> Mapping[str, str]:
    """All of the text as typed, as long as a memory may be."""
    if not text:
        raise invalid("text", "is missing")
    if len(text) > STATEMENT_CHARACTERS:
        raise invalid("text", f"may have {STATEMENT_CHARACTERS} characters at the most")
    return {"text": text}


def correction(text: str) -> Mapping[str, str]:
    """`MEMORY_ID TEXT`, the text as typed."""
    memory, _, rest = text.partition(" ")
    if not rest.strip():
        raise invalid("text", "is missing: first the memory's id, then what is right")
    return {"memory": _memory_id(memory), **statement(rest.strip())}


def forgotten(text: str) -> Mapping[str, str]:
    """`MEMORY_ID ...`, or `all yes`: everything goes only if it is said twice."""
    words = text.split()
    if not words:
        raise invalid("memories", "are missing: name their ids, as /memories shows them")
    if [word.lower() for word in words] == [ALL, "yes"]:
        return {"memories": ALL}
    if words[0].lower() == ALL:
        raise invalid("arguments", "have to be `all yes` for everything to be forgotten")
    if len(words) > MOST_MEMORIES:
        raise invalid("memories", f"may be {MOST_MEMORIES} at the most at once")
    return {"memories": " ".join(dict.fromkeys(map(_memory_id, words)))}


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


def _memory_id(word: str) -> str:
    if not _MEMORY_ID.fullmatch(word):
        raise invalid("memory", "has to be an id such as /memories shows")
    return word
