"""Whoever waits is told for what; whoever does not is left alone."""

import asyncio

from embedded.progress import announced


async def test_a_step_of_more_than_a_second_is_announced() -> None:
    """While it runs, not when it is over."""
    lines: list[str] = []
    told = asyncio.Event()

    def report(line: str) -> None:
        lines.append(line)
        told.set()

    with announced(report, "store: starting ..."):
        assert lines == []
        await told.wait()
    assert lines == ["store: starting ..."]


async def test_a_quick_step_is_silent() -> None:
    """Also after it is over, and when it fails."""
    lines: list[str] = []
    with announced(lines.append, "store: starting ..."):
        pass
    await asyncio.sleep(1.2)
    assert lines == []
