"""How long to wait before trying again."""

import random
from collections.abc import Iterator

FIRST_SECONDS = 0.05
MOST_SECONDS = 1.0


def growing_pauses() -> Iterator[float]:
    """Seconds to wait, for ever: twice as much each time up to a second, a random part of it, so
    that readers that were cut off together do not come back together."""
    longest = FIRST_SECONDS
    while True:
        yield random.uniform(longest / 2, longest)  # noqa: S311  # jitter is no secret
        longest = min(longest * 2, MOST_SECONDS)
