"""The order in which pieces of files fit a query: words and meaning in one score, as for
summaries. Pure.

Pieces have about the same length, and a piece has a word or has it not. What a query names is a
file as a whole: its pieces come first, and its beginning fits however few of the words it has.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from servers.conversation_search.ranking import Scored
from servers.conversation_search.summary_ranking import LEAST_SIMILARITY


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece as ranking sees it. `weight` is that of the query's words which it has, together."""

    id: str
    file_id: str
    place: int
    weight: float


def ranked_pieces(
    pieces: Sequence[Piece],
    total: float,
    cosines: Mapping[str, float],
    named: Collection[str] = (),
) -> list[Scored]:
    """Those that fit, the best first, with scores of 0 to 1; the same inputs give the same order.
    `total` is the weight of all words of the query, `cosines` those of the pieces that were found
    by meaning, `named` the files that the query names."""
    least = max(min(cosines.values(), default=0.0), 0.0)
    found = list[tuple[Scored, Piece]]()
    for piece in pieces:
        cosine = cosines.get(piece.id, 0.0)
        if piece.weight <= 0 and cosine < LEAST_SIMILARITY and piece.file_id not in named:
            continue
        # What has a word but was not found by meaning is no nearer than the last that was.
        near = max(cosine, 0.0) if piece.id in cosines else least if piece.weight > 0 else 0.0
        share = piece.weight / total if total else 0.0
        score = (share + near) / 2
        if named:
            score = (score + (piece.file_id in named)) / 2
        found.append((Scored(piece.id, round(min(score, 1.0), 6), round(cosine, 6)), piece))
    # Among equals what was uploaded later, as ids say, and stands further ahead.
    found.sort(key=lambda pair: pair[1].place)
    found.sort(key=lambda pair: pair[1].file_id, reverse=True)
    found.sort(key=lambda pair: pair[0].score, reverse=True)
    return [scored for scored, _ in found]
