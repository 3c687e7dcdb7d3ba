"""How long a stream lets its news gather while this process has more to do than it can. Pure.

A step of a stream costs the same whether it carries one token or five. While everything keeps up
each token is a step. When the event loop fills up or falls behind, steps are made rarer until there
is room again: so a process under load delivers the same text with less work, and none waits longer
than readers notice.

Two signs, of which the stronger counts. How busy the loop's thread is finds the period at which
there is still room: a loop that is full is late by chance, and lateness alone settles where it is.
How late timers are shows what the thread cannot see: a machine with less CPU than hoped.
"""

PROMPT_SECONDS = 0.002
"""Lateness that is none: timers are that exact on an idle machine."""
STEEPNESS = 35.0
"""Seconds of period for each second of lateness above it: 4 ms late is the longest period."""
FULL = 0.85
"""The share of a core that the loop's thread is to use. Above it what waits for the loop grows
without bound; below it there is no need to gather."""
GAIN = 0.3
"""How much of the way to the right period is gone at each look: a second and a half from none to
the longest, and back within half of one, without swinging."""
SHORTEST_SECONDS = 0.005
"""A shorter period than this gathers nothing, and is none."""
LONGEST_SECONDS = 0.065
"""The longest period. Text that comes 15 times a second still reads as flowing, and with what a
busy loop adds a reader waits less than a tenth of a second."""
MEMORY = 0.85
"""How much of the last estimate stays at each look: it follows within about seven of them."""


class Pace:
    """The period of steps, from how late and how busy the event loop is."""

    def __init__(self) -> None:
        self._late = 0.0
        self._busy = 0.0
        self._roomy = 0.0
        """The period that leaves the loop room."""

    def note(self, late: float, busy: float) -> None:
        """Takes how many seconds too late a timer was, and the share of a core (0 to 1) that the
        thread used since the last look. A single long stop counts as no more than what asks for
        the longest period, so that it is soon forgotten."""
        most = PROMPT_SECONDS + 2 * LONGEST_SECONDS / STEEPNESS
        self._late = MEMORY * self._late + (1 - MEMORY) * min(max(late, 0.0), most)
        self._busy = MEMORY * self._busy + (1 - MEMORY) * min(max(busy, 0.0), 1.0)
        # What steps cost is in inverse proportion to their period.
        growth = 1 + GAIN * (self._busy / FULL - 1)
        self._roomy = min(max(self._roomy, SHORTEST_SECONDS) * growth, LONGEST_SECONDS)

    @property
    def period(self) -> float:
        """Seconds from one step of a stream to the next, at least; 0 while all keep up."""
        behind = min(max(0.0, self._late - PROMPT_SECONDS) * STEEPNESS, LONGEST_SECONDS)
        return max(behind, self._roomy if self._roomy > SHORTEST_SECONDS else 0.0)

    def rest(self, since: float, share: float = 1.0) -> float:
        """Seconds to wait before the next step, when the last one was so long ago and steps are to
        be a share of the period apart."""
        return max(0.0, self.period * share - since)
