"""How long a stream lets its news gather while this process has more to do than it can. Pure.

A step of a stream costs the same whether it carries one token or five. While everything keeps up
each token is a step. When the event loop falls behind, steps are made rarer until it keeps up: so a
process under load delivers the same text with less work, and none waits longer than readers notice.
"""

PROMPT_SECONDS = 0.002
"""Lateness that is none: timers are that exact on an idle machine."""
STEEPNESS = 35.0
"""Seconds of period for each second of lateness above it: 4 ms late is the longest period. A load
that settles there leaves the loop room; a flatter slope lets it settle where everything is late."""
LONGEST_SECONDS = 0.07
"""The longest period. Text that comes 14 times a second still reads as flowing, and with what a
busy loop adds a reader waits less than a tenth of a second."""
MEMORY = 0.85
"""How much of the last estimate stays at each look: it follows within about seven of them."""


class Pace:
    """The period of steps, from how late the event loop is."""

    def __init__(self) -> None:
        self._late = 0.0

    def note(self, late: float) -> None:
        """Takes how many seconds too late a timer was. A single long stop counts as no more than
        what asks for the longest period, so that it is soon forgotten."""
        most = PROMPT_SECONDS + 2 * LONGEST_SECONDS / STEEPNESS
        self._late = MEMORY * self._late + (1 - MEMORY) * min(max(late, 0.0), most)

    @property
    def period(self) -> float:
        """Seconds from one step of a stream to the next, at least; 0 while all keep up."""
        return min(max(0.0, self._late - PROMPT_SECONDS) * STEEPNESS, LONGEST_SECONDS)

    def rest(self, since: float, share: float = 1.0) -> float:
        """Seconds to wait before the next step, when the last one was so long ago and steps are to
        be a share of the period apart."""
        return max(0.0, self.period * share - since)
