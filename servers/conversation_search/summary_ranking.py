"""The order in which summaries fit a query: words and meaning in one score, as for messages. Pure.

A summary has a word or has it not: it is told in few words, so how often says little.
"""

from collections.abc import Mapping

from servers.conversation_search.ranking import Scored

LEAST_SIMILARITY = 0.2
"""Below this cosine two texts have nothing to do with each other: what has none of the words either
does not fit."""


def ranked_summaries(
    held: Mapping[str, float], total: float, cosines: Mapping[str, float]
) -> list[Scored]:
    """Those that fit, the best first; the same inputs give the same order. `held` are the weights
    of the query's words that each has, together, `total` that of all its words, `cosines` those of
    the summaries that were found by meaning."""
    least = max(min(cosines.values(), default=0.0), 0.0)
    found = list[Scored]()
    for each, weight in held.items():
        cosine = cosines.get(each, 0.0)
        if weight <= 0 and cosine < LEAST_SIMILARITY:
            continue
        # What has a word but was not found by meaning is no nearer than the last that was.
        near = max(cosine, 0.0) if each in cosines else least
        share = weight / total if total else 0.0
        found.append(Scored(each, round(share + near, 6), round(cosine, 6)))
    # Ids are ordered by time: among equals the later one comes first.
    return sorted(found, key=lambda scored: (scored.score, scored.id), reverse=True)
