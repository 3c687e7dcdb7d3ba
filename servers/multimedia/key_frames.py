"""Which moments of a video are looked at. Pure."""

EVERY_SECONDS = 5.0
"""Least time between two of them, on average."""


def moments(duration: float, most: int) -> list[float]:
    """Seconds from the beginning, evenly spread, none at the very edges; only the beginning if the
    duration is not known."""
    if duration <= 0:
        return [0.0]
    count = max(1, min(most, round(duration / EVERY_SECONDS)))
    return [duration * (place + 0.5) / count for place in range(count)]
