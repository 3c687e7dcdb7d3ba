"""What a job may use. Pure."""

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one job may use; what needs more is ended."""

    seconds: float = 30.0
    """Wall clock, with the reading of its file."""
    cpu_seconds: int = 20
    memory_bytes: int = 512 * MEGABYTE
    """Address space beyond what its process had before it began."""
    output_bytes: int = 64 * MEGABYTE
    """Of all that it gives back."""
