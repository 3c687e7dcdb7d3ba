"""What the prompt of an answer held, as far as it can be read again. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from servers.runtime.language.terms import terms
from servers.runtime.language.words import folded, words

from .claims import specifics

HELD = ("kept", "shortened")


@dataclass(frozen=True)
class Part:
    """A text that was in the prompt, whole or cut. `id` is that of the message or memory."""

    id: str
    source: str
    text: str


@dataclass(frozen=True)
class Material:
    """The parts that can be read, and the number of those that cannot: messages of other
    conversations, summaries, and memories that are not found any more."""

    parts: Sequence[Part]
    unread: int

    @property
    def terms(self) -> frozenset[str]:
        """Everything that it is about."""
        return frozenset(term for part in self.parts for term in terms(part.text))

    @property
    def specifics(self) -> frozenset[str]:
        """Its numbers and names, and every word: a name may begin a sentence here."""
        return frozenset(
            each
            for part in self.parts
            for each in (*specifics(part.text), *terms(part.text), *map(folded, words(part.text)))
        )

    def has(self, quote: str) -> bool:
        """Whether the quote stands in one of the parts, whatever its spaces and case."""
        wanted = _plain(quote)
        return bool(wanted) and any(wanted in _plain(part.text) for part in self.parts)


def material(manifest: Mapping[str, Any], texts: Mapping[str, str]) -> Material:
    """What went into the prompt by its manifest; `texts` are messages and memories by their ids."""
    parts, unread = list[Part](), 0
    if instructions := str(manifest.get("instructions") or ""):
        parts.append(Part("", "system", instructions))
    for candidate in manifest.get("candidates", ()):
        if candidate.get("verdict") not in HELD or candidate.get("source") == "system":
            continue
        id = id_of(candidate)
        if id in texts:
            parts.append(Part(id, str(candidate.get("source")), _cut(texts[id], candidate)))
        else:
            unread += 1
    return Material(parts, unread)


def id_of(candidate: Mapping[str, Any]) -> str:
    """The id of the message, memory or summary that a candidate is."""
    return str(
        candidate.get("message_id")
        or candidate.get("memory_id")
        or candidate.get("summary_id")
        or ""
    )


def texts_of(*lists: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Texts by id, of lists of things that have both."""
    return {
        str(each["id"]): str(each.get("content") or "")
        for found in lists
        for each in found
        if each.get("id")
    }


def _cut(text: str, candidate: Mapping[str, Any]) -> str:
    start, length = int(candidate.get("start") or 0), int(candidate.get("characters") or 0)
    return text[start : start + length] if length else text[start:]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
