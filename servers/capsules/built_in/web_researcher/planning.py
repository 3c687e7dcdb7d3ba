"""What is searched for. Pure."""

from typing import Annotated

import msgspec

from servers.capsules.strict_answers import NotOfTheForm
from servers.runtime.language.sentences import one_line
from servers.runtime.language.terms import terms

MOST_CHARACTERS = 300
"""Of a query."""


class Queries(msgspec.Struct, forbid_unknown_fields=True):
    """The form in which a model plans."""

    queries: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_CHARACTERS)]],
        msgspec.Meta(min_length=1, max_length=20),
    ]


def usable(plan: Queries) -> None:
    """NotOfTheForm if no query has a word in it."""
    if not any(terms(query) for query in plan.queries):
        raise NotOfTheForm("no query has a word that could be searched for")


def planned(plan: Queries, most: int) -> list[str]:
    """At most so many of the queries, each once."""
    lines = (one_line(query) for query in plan.queries)
    return list(dict.fromkeys(line for line in lines if terms(line)))[:most]


def unplanned(question: str, most: int) -> list[str]:
    """The queries without a model: the question itself, then its terms alone."""
    question = one_line(question)
    key_terms = " ".join(dict.fromkeys(terms(question)))
    queries = dict.fromkeys([question[:MOST_CHARACTERS], key_terms[:MOST_CHARACTERS]])
    return [query for query in queries if query][:most]
