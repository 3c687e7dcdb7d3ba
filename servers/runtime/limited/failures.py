"""How a job can fail. Pure."""

from enum import StrEnum


class Why(StrEnum):
    """Kinds of failures."""

    UNREADABLE = "unreadable"
    """The function said that the file cannot be read, and why."""
    BROKEN = "broken"
    """The function stumbled over the file."""
    TIME = "time"
    MEMORY = "memory"
    OUTPUT = "output"
    CRASHED = "crashed"
    """Its process died, as native code does over a hostile file."""
    ROOM = "room"
    """There is no process to run it in: nothing is said of the file, and it may be tried again."""


NO_PROCESS = -1
"""In the place of the signal that ended a job: none could be made for it, or the zygote is gone,
and with it all that it had made. No file is to blame."""

SENTENCES = {
    Why.UNREADABLE: "the file cannot be read",
    Why.BROKEN: "the file is broken",
    Why.TIME: "reading the file took longer than it may",
    Why.MEMORY: "reading the file took more memory than it may",
    Why.OUTPUT: "the file holds more than is read",
    Why.CRASHED: "the file made its reader crash",
    Why.ROOM: "files cannot be read at the moment",
}


class JobFailed(Exception):
    """A job did not come to its end. `sentence` is for people and holds nothing of the file but
    what the function said on purpose; `cause` is for logs."""

    def __init__(self, why: Why, sentence: str = "", cause: str = "") -> None:
        super().__init__(f"{why}: {cause or sentence}")
        self.why = why
        self.sentence = sentence or SENTENCES[why]
        self.cause = cause


class Unreadable(Exception):
    """Raised by a function within a job: the file cannot be read. The message is one sentence for
    people, such as that it asks for a password."""
