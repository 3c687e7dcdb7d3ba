"""What tests have forked. The words are a name and what to do."""

import os
import random
import sys
import time

from servers.runtime.ids import new_id

BEFORE = new_id("before")


def main(words: list[str]) -> int:
    """Says who it is and does as it is told."""
    name, does, *_ = [*words, ""]
    found = (os.getsid(0) == os.getpid(), sys.stdin.read(), random.random(), new_id("after"))
    print(name, *map(repr, found), flush=True)
    if does == "sleep":
        time.sleep(600)
    return 3 if does == "fail" else 0
