"""What an answer claims. Pure."""

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from servers.runtime.language.sentences import is_question, sentences
from servers.runtime.language.terms import singular, terms
from servers.runtime.language.words import folded, spans, words

MOST_CLAIMS = 30
"""Of an answer, from its beginning on."""
FEWEST_TERMS = 3
"""A sentence of fewer terms and without a specific claims nothing that could be checked."""

SAME = 0.6
"""Claims that share so much of their terms are about the same."""

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
# Words by which an answer speaks of what it can know from the prompt alone.
_OF_THE_USER = frozenset(
    ["you", "your", "yours", "we", "our", "earlier", "previously", "mentioned", "told", "said"]
)
_NEGATIONS = frozenset(["no", "not", "never", "none", "nothing", "nobody", "cannot", "without"])


@dataclass(frozen=True)
class Claim:
    """A sentence that can be checked. `specifics` are its numbers and names, as they are compared;
    a made-up one shows."""

    text: str
    terms: tuple[str, ...]
    specifics: tuple[str, ...]
    of_the_user: bool
    negated: bool

    @cached_property
    def subject(self) -> frozenset[str]:
        """Its terms without numbers: what it is about."""
        return frozenset(term for term in self.terms if not term[0].isdigit())

    @cached_property
    def numbers(self) -> frozenset[str]:
        """The numbers among its specifics."""
        return frozenset(each for each in self.specifics if each[0].isdigit())


def claims_of(answer: str) -> list[Claim]:
    """The sentences of an answer that claim something; questions and code do not."""
    found = (claim(each) for each in sentences(answer) if not is_question(each))
    return [each for each in found if each.specifics or len(each.terms) >= FEWEST_TERMS][
        :MOST_CLAIMS
    ]


def claim(sentence: str) -> Claim:
    """The sentence, taken apart."""
    plain = [folded(word) for word in words(sentence)]
    return Claim(
        text=sentence,
        terms=tuple(terms(sentence)),
        specifics=tuple(specifics(sentence)),
        of_the_user=bool(_OF_THE_USER & set(plain)),
        negated=any(word in _NEGATIONS or word.endswith("n't") for word in plain),
    )


def specifics(text: str) -> list[str]:
    """The numbers of a text, and its names: words with a capital that begin no sentence. Where
    there are more than two names, and as many as every third word, capitals tell nothing: German
    writes all nouns so."""
    found = _NUMBER.findall(text)
    for sentence in sentences(text):
        inner = [word for word, begin, _ in spans(sentence) if not _opens(sentence, begin)]
        named = [_is_name(word) for word in inner]
        # Words of a name that follow each other are one.
        names = sum(now and not before for before, now in pairwise([False, *named]))
        if names <= 2 or names * 3 < len(inner):
            capital = [word for word, is_name in zip(inner, named, strict=True) if is_name]
            found += [singular(folded(word)) for word in capital]
    return list(dict.fromkeys(found))


def _is_name(word: str) -> bool:
    """Whether the word has a capital of its own; `I` and `I've` have it by a rule."""
    return word[0].isupper() and len(word) > 1 and folded(word).partition("'")[0] != "i"


def _opens(sentence: str, begin: int) -> bool:
    """Whether the word at `begin` is the first one: behind a bracket or a colon it may have its
    capital for that."""
    before = sentence[:begin].rstrip(" \"'(*_")
    return not before or before[-1] in ":.!?;-"


def conflicts(one: Claim, other: Claim) -> str:
    """Why two claims cannot both be right, as far as words tell; empty if they can. They have to be
    about the same: the Jaccard coefficient of their terms without numbers is SAME at least."""
    a, b = one.subject, other.subject
    # Sets of very different sizes share too little, whatever they share.
    if min(len(a), len(b)) < max(FEWEST_TERMS, SAME * max(len(a), len(b))):
        return ""
    if len(a & b) < SAME * len(a | b):
        return ""
    if one.negated != other.negated:
        return "one says it, the other one denies it"
    if one.numbers and other.numbers and not one.numbers & other.numbers:
        return f"{', '.join(sorted(one.numbers))} against {', '.join(sorted(other.numbers))}"
    return ""
