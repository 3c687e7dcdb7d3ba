"""Statements as the write gate compares them: normalized, and by their words of content. Pure."""

import re
import unicodedata

_WORD = re.compile(r"\w+")

STOP_WORDS = frozenset(
    _WORD.findall(
        """a an the and or but if so as of to in on at by for from with about into over than
        then that this these those it its is am are was were be been being do does did done have
        has had having will would shall should can could may might must not no nor i me my mine
        we us our ours you your yours he him his she her hers they them their theirs who whom
        whose which what when where why how there here just very too also only really quite some
        any all each such own same more most other up down out off again now ever never always
        please s t d m ll re ve user users"""
    )
)
GREETINGS = frozenset(
    _WORD.findall(
        """hi hello hey hiya yo greetings good morning afternoon evening night day goodbye bye
        cheers thanks thank thx ty welcome ok okay k sure fine great nice cool yes yeah yep no nope
        maybe lol haha hmm huh oh ah wow test testing well sorry pardon right alright perfect
        awesome"""
    )
)

STEM = 4

LONGEST_WORD = 40
"""What is longer is no word: a hash, a key, keys hit at random."""

_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\U00020000-\U0002fa1f]"
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|neither|nor|without|cannot|stopped|quit|hates?|dislikes?)\b|n['\u2019]t\b"
)
_QUESTION_END = ("?", "\uff1f", "\u061f", "\u037e")
_QUESTION_START = re.compile(
    r"(?:(?:what|who|whom|whose|which|where|when|why|how)(?:'s|\u2019s)?\s+"
    r"(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|much|many|about|come)\b"
    r"|(?:do|does|did|is|are|am|was|were|can|could|will|would|should|shall|may|have|has)\s+"
    r"(?:i|you|he|she|it|we|they|there|this|that|the|my|your|anyone|somebody)\b)",
    re.IGNORECASE,
)


def normalized(text: str) -> str:
    """The words of a text, in lower case, with single spaces: equal for statements that differ in
    case, punctuation or width only."""
    return " ".join(words(text))


def words(text: str) -> list[str]:
    """The words of a text, compatibility forms and case folded, apostrophes left out."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("\u2019", "")
    return _WORD.findall(folded)


def content_words(text: str) -> frozenset[str]:
    """The different words that say something. In scripts without spaces, two neighbouring
    characters count as a word."""
    found = set[str]()
    for word in words(text):
        if _WITHOUT_SPACES.search(word):
            found.update(word[i : i + 2] for i in range(0, len(word), 2))
        elif word not in STOP_WORDS and len(word) <= LONGEST_WORD and _says_something(word):
            found.add(word)
    return frozenset(found)


def stems(text: str) -> list[str]:
    """The beginnings of the words that say something, in order: `plan` of plans and planning."""
    own = content_words(text)
    return [word[:STEM] for word in words(text) if word in own]


def is_question(text: str) -> bool:
    """Whether it asks: by its mark, or in English by how it begins."""
    text = text.strip()
    return text.endswith(_QUESTION_END) or _QUESTION_START.match(text) is not None


def is_negated(text: str) -> bool:
    """Whether an English statement denies something: an odd number of negations."""
    return len(_NEGATION.findall(text.casefold())) % 2 == 1


def numbers(text: str) -> frozenset[str]:
    """The numbers of a text."""
    return frozenset(re.findall(r"\d+", text))


def sentences(text: str) -> list[str]:
    """The sentences of a text, roughly: split behind a mark that ends one, and at line ends."""
    return [s for s in re.split(r"(?<=[.!?\u3002\uff01\uff1f])\s+|\n+", text) if s.strip()]


def _says_something(word: str) -> bool:
    return word.isdigit() or (word not in GREETINGS and len(set(word)) > 1)
