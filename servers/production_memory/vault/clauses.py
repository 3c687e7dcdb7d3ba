"""What of a message its user states: clause by clause, without code, quotations, questions and
suppositions. Pure."""

import re
from collections.abc import Iterator

from servers.production_memory.vault.statement import is_question, sentences

MOST_CHARACTERS = 4000
"""What stands further behind in a message is a document, mostly."""
LONGEST_SENTENCE = 400
_MARKS = " \t.,!;"

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_QUOTED_LINE = re.compile(r"^\s*>.*$", re.MULTILINE)
_QUOTED = re.compile(
    # Bounded, or text full of opening marks would be searched from each of them to its end.
    r"\"[^\"\n]{0,200}\"|\u201c[^\u201d\n]{0,200}\u201d|\u00ab[^\u00bb\n]{0,200}\u00bb"
    r"|\u201e[^\u201c\u201d\n]{0,200}[\u201c\u201d]"
    r"|(?<!\w)'[^'\n]{0,200}'(?!\w)|(?<!\w)\u2018[^\u2019\n]{0,200}\u2019(?!\w)"
)
_MATERIAL = re.compile(r":[ \t]*\n")
_SUPPOSED = re.compile(
    r"\s*(?:and |but |so )?(?:if|when|whenever|unless|suppose|supposing|imagine|pretend|assume"
    r"|assuming|say|had|should|were|as if|as though|what if)\b",
    re.IGNORECASE,
)
_SPLIT = re.compile(
    r"\s*;\s*|\s*,?\s+(?:and|but)\s+(?=(?:please|i|i['\u2019]m|i['\u2019]ve|my|you can|call)\b)"
    r"|\s*,\s+(?=(?:please|i|i['\u2019]m|i['\u2019]ve|my)\b)|\s+[-\u2013\u2014]+\s+",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(
    r"(?:(?:hi|hello|hey|well|so|and|but|also|yes|yeah|no|ok|okay|actually|btw|by the way|fyi|oh"
    r"|thanks|thank you|sure|anyway|look|listen|honestly|personally|in fact|to be honest|there|all"
    r"|everyone|kari|please note that|just so you know|for the record|nowadays|these days|now"
    r"|currently|at the moment)\b[\s,!:]*)+",
    re.IGNORECASE,
)


def clauses(text: str) -> Iterator[str]:
    """The clauses of what a message states, in order, without what leads in, such as "well,". What
    comes after a line that ends in a colon is material, not a statement."""
    for sentence in sentences(_own_words(text[:MOST_CHARACTERS])):
        if len(sentence) > LONGEST_SENTENCE or is_question(sentence) or _SUPPOSED.match(sentence):
            continue
        for clause in _SPLIT.split(sentence):
            if stated := _without_lead_in((clause or "").strip(_MARKS)):
                yield stated


def _without_lead_in(clause: str) -> str:
    lead_in = _LEAD_IN.match(clause)
    return clause[lead_in.end() :] if lead_in else clause


def _own_words(text: str) -> str:
    text = _QUOTED_LINE.sub("", _CODE.sub(" ", text))
    material = _MATERIAL.search(text)
    return _QUOTED.sub(" ", text[: material.start()] if material else text)
