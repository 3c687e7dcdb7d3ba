"""What a query asks for: words, phrases that have to be there, words that must not. Pure."""

import re
from dataclasses import dataclass

_PART = re.compile(r"""(-?)"([^"]*)"|(?<!\S)-(\w[\w'\u2019-]*)|([^\s"]+)""")


@dataclass(frozen=True, slots=True)
class Wish:
    """`text` is everything that is looked for, phrases included; `filter` is what has to hold, in
    the syntax of websearch_to_tsquery, empty if nothing has to."""

    text: str
    filter: str

    @property
    def empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not re.search(r"\w", self.text)


def wished(query: str) -> Wish:
    """Reads a query. Whatever is no phrase and no exclusion is text; a quote without its partner
    and a dash by itself mean nothing."""
    text, required = list[str](), list[str]()
    for sign, phrase, word, other in _PART.findall(query):
        if phrase.strip():
            required.append(f'{sign}"{phrase.strip()}"')
            if not sign:
                text.append(phrase.strip())
        elif word:
            required.append(f'-"{word}"')
        elif other:
            text.append(other)
    return Wish(" ".join(text), " ".join(required))


def chosen(lexemes: list[str], most: int) -> list[str]:
    """No more than so many lexemes of a long query, in their order: the longest ones, which are
    rarer than short ones in any language."""
    if len(lexemes) <= most:
        return lexemes
    kept = set(sorted(lexemes, key=lambda lexeme: (-len(lexeme), lexeme))[:most])
    return [lexeme for lexeme in lexemes if lexeme in kept]


def quoted(lexeme: str) -> str:
    """A lexeme as a tsquery has it."""
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
