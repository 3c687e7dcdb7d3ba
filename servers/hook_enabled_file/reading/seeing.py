"""Looking through packed files as they are unpacked, with the rules of `scan` or for a tenant's
words."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import IO

import yara_x

from servers.hook_enabled_file.reading.counting import Count, Refused
from servers.hook_enabled_file.reading.scanning import OVERLAP, carried, matches, tell
from servers.hook_enabled_file.reading.wording import Words

STEP = 256 * 1024
WINDOW = 4 * 1024 * 1024


def through(
    start: bytes, member: IO[bytes], name: str, count: Count, words: Words | None
) -> Iterator[bytes]:
    """The bytes of a member, counted; each window of them is looked through, with its beginning
    before it. Refused if a rule of `scan` matches."""
    see, head = words.see if words is not None else _scanning(start, name), b""
    window, data = bytearray(), start
    while data:
        count.add(len(data))
        yield data
        window += data
        if len(window) >= WINDOW:
            see(head + window)
            head = start
            del window[:-OVERLAP]
        data = member.read(STEP)
    see(head + window)


def _scanning(start: bytes, name: str) -> Callable[[bytes], None]:
    scanner = _carried_scanner()
    tell(scanner, start, name)

    def see(window: bytes) -> None:
        for reason in matches(scanner, window).values():
            raise Refused(f"a file within the archive: {reason}")

    return see


@cache
def _carried_scanner() -> yara_x.Scanner:
    return yara_x.Scanner(carried("scan"))
