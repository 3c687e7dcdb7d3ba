"""Facts that a user states of themselves, found by fixed rules. Pure.

A rule is a pattern of a whole clause in the first person (English), and what it says in the third.
They are meant to find little that is wrong rather than all that is right: a clause that has more to
it than a rule knows is left alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from servers.production_memory.vault.clauses import clauses
from servers.production_memory.vault.fact_patterns import Rule
from servers.production_memory.vault.fact_rules import RULES
from servers.production_memory.vault.personal_data import without_personal_data
from servers.production_memory.vault.statement import normalized

MOST_FACTS = 10
"""Of one message."""

REMEMBER = re.compile(
    r"(?:please |can you |could you )?"
    r"(?:do not forget|don['\u2019]t forget|remember|keep in mind|note)"
    r"(?: this)?(?::| that\b)\s*(?P<said>.{3,300})$"
    r"|(?:please )?remember (?P<own>(?:my|i|i['\u2019]m)\b.{3,300})$",
    re.IGNORECASE,
)

# A cheap look that most messages do not pass: no fact is stated without one of these words.
_HINT = re.compile(
    r"\b(?:i|i['\u2019]m|i['\u2019]ve|im|my|call me|remember|forget|keep in mind|note)\b",
    re.IGNORECASE,
)

_PERSON = {
    "i": "they",
    "me": "them",
    "my": "their",
    "mine": "theirs",
    "myself": "themselves",
    "we": "they",
    "us": "them",
    "our": "their",
    "ours": "theirs",
}
_FIRST_PERSON = re.compile(r"\b(?:" + "|".join(_PERSON) + r")\b", re.IGNORECASE)
_AT_THE_END = re.compile(
    r"\s+(?:now|too|as well|though|anymore|any more|actually|by the way|btw|lol|haha|these days"
    r"|nowadays|at the moment|right now|you know|please|thanks|thank you)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Fact:
    """A statement about the user. `slot` and `value` as the write gate has them; `asked` is whether
    the user said that it is to be remembered."""

    content: str
    kind: str
    importance: int
    slot: str = ""
    value: str = ""
    negated: bool = False
    asked: bool = False


def may_teach(text: str) -> bool:
    """Whether a message states facts, as far as can be said without looking for personal data,
    which takes its time."""
    return next(_stating(text), None) is not None


def facts_of(text: str) -> list[Fact]:
    """The facts of a message, in order, each once; the first MOST_FACTS of them. Personal data is
    in none of their fields: a value that was one is no fact."""
    found: dict[str, Fact] = {}
    for clause in _stating(text):
        fact = _fact_of(without_personal_data(clause))
        if fact is not None:
            found.setdefault(fact.content, fact)
        if len(found) == MOST_FACTS:
            break
    return list(found.values())


def _stating(text: str) -> Iterator[str]:
    """The clauses of a text that state facts."""
    if _HINT.search(text) is None:
        return
    for clause in clauses(text):
        if _fact_of(clause) is not None:
            yield clause


def _fact_of(clause: str) -> Fact | None:
    return _asked(clause) or fact_of_clause(clause)


def fact_of_clause(clause: str) -> Fact | None:
    """What the first rule that fits says of a clause; None if none does."""
    for rule in RULES:
        found = rule.pattern.fullmatch(clause)
        if found is not None and (fact := _fact(rule, found)) is not None:
            return fact
    return None


def _asked(clause: str) -> Fact | None:
    found = REMEMBER.match(clause)
    if found is None:
        return None
    said = (found["said"] or found["own"]).strip(" .!")
    fact = fact_of_clause(said)
    if fact is not None:
        return replace(fact, importance=10, asked=True)
    return Fact(f"The user said: {said}.", "semantic", 10, asked=True)


def _fact(rule: Rule, found: re.Match[str]) -> Fact | None:
    value = _tidy(found["v"])
    if not value or (rule.refuses is not None and rule.refuses.search(value)):
        return None
    compared, key = normalized(value), normalized(found.groupdict().get("k") or "")
    # A slot is the same for one peanut and for several.
    about = {"v": compared, "k": key, "one": compared.removesuffix("s")}
    return Fact(
        rule.says.format(v=_third_person(value), k=key, a=_article(value)),
        rule.kind,
        rule.importance,
        rule.slot.format(**about),
        (rule.value or compared) if rule.slot else "",
        rule.negated,
    )


def _article(noun: str) -> str:
    return "an" if noun[0].lower() in "aeiou" else "a"


def _tidy(value: str) -> str:
    while (shorter := _AT_THE_END.sub("", value.strip(" \t.,!;:"))) != value:
        value = shorter
    return value


def _third_person(value: str) -> str:
    return _FIRST_PERSON.sub(lambda found: _PERSON[found[0].lower()], value)
