"""Numbers of pages in words. Pure."""

from collections.abc import Iterable

SPANS = 6
"""So many are named; who wants to know more looks at the file."""


def unread(numbers: Iterable[int], why: str) -> str:
    """Says which pages were not read, and why; empty if there are none."""
    spans = _spans(numbers)
    if not spans:
        return ""
    named = [str(a) if a == b else f"{a} to {b}" for a, b in spans[:SPANS]]
    if len(spans) > SPANS:
        named.append("others")
    one = len(named) == 1 and spans[0][0] == spans[0][1]
    which = ", ".join(named[:-1]) + " and " + named[-1] if named[1:] else named[0]
    verb = "is a picture and was" if one else "are pictures and were"
    return f"{'page' if one else 'pages'} {which} {verb} not read: {why}"


def _spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    spans = list[tuple[int, int]]()
    for number in sorted(set(numbers)):
        if spans and number == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans
