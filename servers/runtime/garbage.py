"""Python's garbage collector, set for a server.

What a process has loaded when it begins to serve, several hundred thousand objects, lives as long
as it does: the collector need not look at it again. And a turn makes some ten thousand objects that
reference counts free without its help, so it looks more rarely than after every seven hundred.
"""

import gc

YOUNG, MIDDLE, OLD = 50_000, 20, 100


def hold() -> None:
    """To be called before everything is loaded: looking through it again and again takes a tenth of
    the time that it takes to load it."""
    gc.disable()


def settle() -> None:
    """To be called once, when everything is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    gc.enable()
