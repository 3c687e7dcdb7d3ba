"""Whether a message looks hard, by its shape alone; deterministic.

Points: 1 each for more than 120 words, for more than 400 words, for a block of code, for three or
more questions or listed demands, and for each word of reasoning up to two. Three points are hard.
Words of reasoning are English; in other languages shape alone decides. Pure.
"""

import re

HARD = 3

_REASONING = re.compile(
    r"\b(prove|proof|derive|step[ -]by[ -]step|trade-?offs?|compare|contrast|analy[sz]e|critique|"
    r"evaluate|optimi[sz]e|refactor|debug|architect(?:ure)?|algorithm|complexity|design|strategy|"
    r"why does|root cause|theorem|differentiate|integrate)\b",
    re.IGNORECASE,
)
_DEMAND = re.compile(r"\?|^\s*(?:[-*•]|\d+[.)])\s", re.MULTILINE)
_CODE = re.compile(r"```|^(?: {4}|\t)\S.*\n(?: {4}|\t)\S", re.MULTILINE)


def points(content: str) -> int:
    """How hard a message looks, 0 to 6."""
    words = len(content.split())
    reasoning = {match.lower() for match in _REASONING.findall(content)}
    return sum(
        (
            words > 120,
            words > 400,
            bool(_CODE.search(content)),
            len(_DEMAND.findall(content)) >= 3,
            min(2, len(reasoning)),
        )
    )


def is_hard(content: str) -> bool:
    """Whether a message is worth the model for hard ones."""
    return points(content) >= HARD
