"""What an archive may hold, and what was found of it so far. Pure."""

from dataclasses import dataclass, field


class Refused(Exception):
    """The archive must not be let through; one sentence for people."""


@dataclass
class Limits:
    """What an archive may hold, everything within it counted."""

    depth: int = 5
    files: int = 10_000
    ratio: float = 200.0
    ratio_from_bytes: int = 20_000_000
    """Below it nothing is called a bomb, however well it packs."""
    total_bytes: int = 4_000_000_000
    encrypted: str = "refuse"
    unknown: str = "refuse"


@dataclass
class Count:
    """What was found so far."""

    packed: int
    limits: Limits
    files: int = 0
    unpacked: int = 0
    notes: list[str] = field(default_factory=list)

    def file(self) -> None:
        """One more member."""
        self.files += 1
        if self.files > self.limits.files:
            raise Refused(f"the archive holds more than {self.limits.files} files")

    def add(self, size: int) -> None:
        """So many bytes more."""
        self.unpacked += size
        limits = self.limits
        if self.unpacked > limits.total_bytes:
            raise Refused(f"the archive unpacks to more than {limits.total_bytes // 10**6} MB")
        if self.unpacked > max(limits.ratio_from_bytes, limits.ratio * self.packed):
            raise Refused(f"the archive unpacks to more than {limits.ratio:g} times its size")

    def require_depth(self, depth: int) -> None:
        """Refused if archives are packed within each other deeper than allowed."""
        if depth > self.limits.depth:
            raise Refused(
                f"archives are packed within each other more than {self.limits.depth} deep"
            )

    def unknown(self, kind: str) -> None:
        """An archive of a type that is not looked into."""
        if self.limits.unknown == "refuse":
            raise Refused(f"archives of the type {kind} cannot be looked into")
        self.notes.append(f"an archive of the type {kind} was not looked into")

    def hidden(self, kind: str, at: int) -> None:
        """An archive of a type that is not looked into, which begins within a file."""
        if self.limits.unknown == "refuse":
            raise Refused(
                f"an archive of the type {kind} is hidden in it, at byte {at}, and cannot be "
                "looked into: upload what it holds by itself, or as a zip file"
            )
        self.notes.append(f"an archive of the type {kind} within it was not looked into")

    def cut(self) -> None:
        """A packed file within a file that is no archive, which cannot be unpacked to its end."""
        self.notes.append("something packed within it is broken: its beginning was looked through")

    def encrypted(self) -> None:
        """A member that is encrypted."""
        if self.limits.encrypted == "refuse":
            raise Refused("the archive is encrypted, so nobody can look into it")
        self.notes.append("encrypted files were not looked into")
