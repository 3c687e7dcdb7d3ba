"""Messages that mean nothing, around those that do. Pure."""

import random
from collections.abc import Iterator

WHO = ("Alex", "Robin", "Sam", "Kim")
WORDS = {
    "subject": ("my neighbour", "the manager", "our team", "a friend", "the teacher", "my cousin"),
    "verb": ("visited", "repaired", "bought", "forgot", "described", "planned", "painted", "sold"),
    "object": ("a garden", "the report", "an old car", "some music", "the kitchen", "a journey"),
    "when": ("last week", "on Monday", "in March", "yesterday", "two years ago", "this morning"),
    "why": ("for the family", "because of the weather", "after work", "without a reason", "again"),
}


def lines(count: int) -> Iterator[tuple[str, str]]:
    """So many speakers and texts, always the same."""
    chance = random.Random(0)  # nothing of it is a secret
    for number in range(count):
        words = " ".join(chance.choice(choices) for choices in WORDS.values())
        yield chance.choice(WHO), f"{words}, that was number {number}."
