"""What a program prints, up to a limit for both streams together. Pure."""


class Output:
    """Takes in both streams."""

    def __init__(self, most: int) -> None:
        self._room = most
        self._parts: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self.truncated = False

    def add(self, stream: str, part: bytes) -> None:
        """Takes a part, as much of it as there is room for."""
        fits = part[: self._room]
        self._parts[stream].append(fits)
        self._room -= len(fits)
        self.truncated = self.truncated or len(fits) < len(part)

    def text(self, stream: str) -> str:
        """What came on a stream; bytes that are no UTF-8 are replaced."""
        return b"".join(self._parts[stream]).decode(errors="replace")
