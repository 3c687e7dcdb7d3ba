"""Whether a message looks hard, by its shape alone; deterministic.

Points: 1 each for more than 120 words, for more than 400 words, for a block of code, for three or
more questions or listed demands, and for each word of reasoning up to two. Three points are hard.
Words of reasoning are English; in other languages shape alone decides. Only the beginning of a
message is looked at. Pure.
"""

import re
from itertools import islice

HARD = 3

LOOKED_AT = 4_000
"""Characters of a message that count; more than 400 words fit. Choosing a model stands before
every answer, so its work may not grow with the message."""

_REASONING = re.compile(
    r"\b(prove|proof|derive|step[ -]by[ -]step|trade-?offs?|compare|contrast|analy[sz]e|critique|"
    r"evaluate|optimi[sz]e|refactor|debug|architect(?:ure)?|algorithm|complexity|design|strategy|"
    r"why does|root cause|theorem|differentiate|integrate)\b",
    re.IGNORECASE,
)
# Not \s*: it runs over the ends of lines, from each line anew.
_DEMAND = re.compile(r"\?|^[ \t]*(?:[-*•]|\d+[.)])\s", re.MULTILINE)
_CODE = re.compile(r"```|^(?: {4}|\t)\S.*\n(?: {4}|\t)\S", re.MULTILINE)


def points(content: str) -> int:
    """How hard a message looks, 0 to 6."""
    content = content[:LOOKED_AT]
    words = len(content.split())
    reasoning = {match.lower() for match in _REASONING.findall(content)}
    return sum(
        (
            words > 120,
            words > 400,
            bool(_CODE.search(content)),
            len(list(islice(_DEMAND.finditer(content), 3))) == 3,
            min(2, len(reasoning)),
        )
    )


def is_hard(content: str) -> bool:
    """Whether a message is worth the model for hard ones."""
    return points(content) >= HARD
