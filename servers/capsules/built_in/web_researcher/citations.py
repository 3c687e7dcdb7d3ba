"""Whether an answer says where it has everything from. Pure.

A sentence cites a source as [n], or several as [1][2] or [1, 2]. What is checked: that each n is
one of the sources, that each sentence has one, and that the sentence has something in common with
the passages that it cites.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from servers.runtime.language.sentences import is_question, one_line, sentences
from servers.runtime.language.terms import coverage, terms

WEAK = 0.2
"""A sentence of which its sources have fewer of its terms is not backed by them. Ours: low, for the
answer may be in other words or another language."""
QUOTE_CHARACTERS = 300
DISAGREEMENT = "Disagreement:"
"""How a sentence about sources that contradict each other begins; models are told so."""

_CITED = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_ALONE = re.compile(r"(?:\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\])+[.!?]?")


@dataclass(frozen=True)
class Sentence:
    """A sentence of an answer, without its citations, and the sources that it cites."""

    text: str
    cited: tuple[int, ...]


@dataclass(frozen=True)
class Checked:
    """What became of the check."""

    sentences: Sequence[Sentence]
    unknown: Sequence[int]
    """Numbers that are no source."""
    uncited: Sequence[str]
    """Sentences that say nothing of where they have it from."""
    weak: Sequence[str]
    """Sentences whose sources have hardly any of their words."""
    disagreements: Sequence[str]

    @property
    def cited(self) -> frozenset[int]:
        """The sources that are cited."""
        return frozenset(n for each in self.sentences for n in each.cited) - frozenset(self.unknown)


def checked(answer: str, sources: Mapping[int, str]) -> Checked:
    """The check of an answer; `sources` are the passages that it had, joined, by number."""
    told = list(_sentences(answer))
    material = {number: frozenset(terms(text)) for number, text in sources.items()}
    stated = [each for each in told if not is_question(each.text) and terms(each.text)]
    return Checked(
        sentences=told,
        unknown=sorted({n for each in told for n in each.cited} - set(sources)),
        uncited=[each.text for each in stated if not set(each.cited) & set(sources)],
        weak=[each.text for each in stated if _is_weak(each, material)],
        disagreements=[each.text for each in told if each.text.startswith(DISAGREEMENT)],
    )


def marked(answer: str, unknown: Sequence[int]) -> str:
    """The answer with citations of what is no source shown for what they are: `[9?]`."""

    def mark(found: re.Match[str]) -> str:
        numbers = _numbers(found[1])
        return "".join(f"[{n}?]" if n in unknown else f"[{n}]" for n in numbers)

    return _CITED.sub(mark, answer)


def quote(sentence: str, passages: Sequence[str]) -> str:
    """The sentence of these passages that is nearest to one of the answer; empty if none has a word
    of it."""
    wanted = terms(sentence)
    best, most = "", 0.0
    for passage in passages:
        for each in sentences(passage):
            if (covered := coverage(wanted, terms(each))) > most:
                best, most = each[:QUOTE_CHARACTERS], covered
    return best


def _sentences(answer: str) -> Iterator[Sentence]:
    """The sentences, a citation behind a full stop with the sentence before it."""
    told = list[str]()
    for each in sentences(answer):
        leading = _ALONE.match(each)
        if told and leading:
            told[-1] += leading[0]
            each = each[leading.end() :].strip()
        if each:
            told.append(each)
    for each in told:
        numbers = [n for found in _CITED.finditer(each) for n in _numbers(found[1])]
        text = one_line(_CITED.sub("", each))
        yield Sentence(re.sub(r"\s+([.,;:!?])", r"\1", text), tuple(dict.fromkeys(numbers)))


def _numbers(listed: str) -> list[int]:
    return [int(number) for number in listed.split(",")]


def _is_weak(sentence: Sentence, material: Mapping[int, frozenset[str]]) -> bool:
    known = [material[n] for n in sentence.cited if n in material]
    return bool(known) and coverage(terms(sentence.text), frozenset().union(*known)) < WEAK
