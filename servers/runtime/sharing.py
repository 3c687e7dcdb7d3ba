"""Giving several a share of a room that is too small for all. Pure."""

from collections.abc import Sequence


def water_level(sizes: Sequence[int], room: int) -> int:
    """The largest level for which the sizes, each cut off at it, fit the room together: who wants
    less leaves the rest to the others. The largest size if all fit."""
    left, open_ = room, len(sizes)
    for size in sorted(sizes):
        if size * open_ > left:
            return left // open_
        left -= size
        open_ -= 1
    return max(sizes, default=0)
