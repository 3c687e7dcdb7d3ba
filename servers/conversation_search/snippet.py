"""What is shown of a found message, and where the words of the query stand in it. Pure."""

from kari.conversation_models.v1.search_pb2 import Highlight

START, STOP = "\x02", "\x03"
"""What ts_headline puts around words; texts are stripped of both before."""


def snippet(headline: str) -> tuple[str, list[Highlight]]:
    """The text of a headline, and its marked stretches."""
    text, highlights, begun = list[str](), list[Highlight](), -1
    length = 0
    for piece in _pieces(headline):
        if piece == START:
            begun = length
        elif piece == STOP:
            if begun >= 0:
                highlights.append(Highlight(start=begun, end=length))
            begun = -1
        else:
            text.append(piece)
            length += len(piece)
    return "".join(text), highlights


def _pieces(headline: str) -> list[str]:
    spaced = headline.replace(START, f"\0{START}\0").replace(STOP, f"\0{STOP}\0")
    return [piece for piece in spaced.split("\0") if piece]
