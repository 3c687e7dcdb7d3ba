"""When to try the same model again; the random numbers are given.

Exponential backoff with full jitter: a wait is anything from 0 to the bound of its attempt, so that
callers who failed together do not come back together.
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/. Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass

from servers.model_factory.failure import ProviderFailure

Uniform = Callable[[float, float], float]
"""A random number between two."""


@dataclass(frozen=True)
class Backoff:
    """At most `attempts` tries of one model; waits bounded by `first`, doubling up to `longest`
    seconds."""

    attempts: int
    first: float
    longest: float

    def wait(self, failure: ProviderFailure, attempt: int, uniform: Uniform) -> float | None:
        """Seconds to wait after a failed attempt (1 is the first); None to try no more.

        A provider that names a time is taken at its word, plus jitter; if that is longer than
        `longest`, another model is the better answer.
        """
        if attempt >= self.attempts or not failure.consequence.again:
            return None
        bound = min(self.longest, self.first * 2 ** (attempt - 1))
        jitter = uniform(0, bound)
        asked = failure.retry_after or 0.0
        return asked + jitter if asked <= self.longest else None
