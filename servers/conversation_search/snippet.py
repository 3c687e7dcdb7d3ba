"""Where the words of a query stand in what is shown of a found message. Pure."""

from kari.conversation_models.v1.search_pb2 import Highlight

START, STOP = "\x02", "\x03"
"""What ts_headline puts around words; texts are stripped of both before."""


def marks(headline: str) -> list[Highlight]:
    """The marked stretches of a headline, in characters of its text without the marks."""
    highlights, begun, length = list[Highlight](), -1, 0
    for character in headline:
        if character == START:
            begun = length
        elif character == STOP:
            if begun >= 0:
                highlights.append(Highlight(start=begun, end=length))
            begun = -1
        else:
            length += 1
    return highlights
