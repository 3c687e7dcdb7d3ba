"""Which sentences stand best for all of them. Pure.

A sentence is as central as its vector is near to the mean of all (centroid-based summarization:
Radev, Jing, Stys and Tam, 2004). They are taken one by one by maximal marginal relevance
(Carbonell and Goldstein, 1998): near to the mean, and not near to what is taken already. Scores are
rounded, so that the order does not hang on the last bits; among equals the earlier one comes first.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from operator import mul

from servers.runtime.language.words import folded, words

RELEVANCE = 0.7
"""Weight of being near to the mean against being unlike the others: the authors' for summaries."""
DIGITS = 6
HASHED = 384

Vector = Sequence[float]


def central(vectors: Sequence[Vector]) -> list[float]:
    """How near each vector is to the mean of all, as a cosine; 0 for vectors of no length."""
    units = [unit(vector) for vector in vectors]
    mean = unit([sum(values) for values in zip(*units, strict=True)])
    return [round(_dot(each, mean), DIGITS) for each in units]


def taken(vectors: Sequence[Vector], take: Callable[[int], bool], most: int) -> list[int]:
    """The places of at most so many vectors, in order. `take` is asked for each as its turn comes,
    and may refuse it."""
    units = [unit(vector) for vector in vectors]
    centrality, likeness = central(vectors), [0.0] * len(vectors)
    left, found = list(range(len(vectors))), list[int]()
    while left and len(found) < most:
        best = max(left, key=lambda place: (_worth(centrality[place], likeness[place]), -place))
        left.remove(best)
        if take(best):
            found.append(best)
            for place in left:
                likeness[place] = max(likeness[place], _dot(units[place], units[best]))
    return sorted(found)


def unit(vector: Vector) -> list[float]:
    """The vector of length 1 in its direction; itself if it has no length."""
    length = math.sqrt(_dot(vector, vector))
    return [value / length for value in vector] if length else list(vector)


def hashed(text: str) -> list[float]:
    """A vector by the words of a text alone, for when there is no embedder: each word adds to one
    of the values (feature hashing: Weinberger et al., 2009)."""
    vector = [0.0] * HASHED
    for word in words(text):
        digest = hashlib.sha256(folded(word).encode("utf-8", "surrogatepass")).digest()
        vector[int.from_bytes(digest[:4], "big") % HASHED] += 1.0
    return vector


def _worth(centrality: float, likeness: float) -> float:
    return round(RELEVANCE * centrality - (1 - RELEVANCE) * likeness, DIGITS)


def _dot(a: Vector, b: Vector) -> float:
    return float(sum(map(mul, a, b)))
