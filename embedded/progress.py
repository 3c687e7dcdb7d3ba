"""Lines for a person who waits."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str], None]
"""Takes one line without a line end. Called on the event loop: it must not block."""

PATIENCE_SECONDS = 1.0


@contextmanager
def announced(report: Report, line: str) -> Iterator[None]:
    """Reports `line` if the body is still running after a second; quick steps stay silent."""
    timer = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, report, line)
    try:
        yield
    finally:
        timer.cancel()
