"""Two-stage exit: the first signal drains, the second ends at once."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


def _heeded() -> list[signal.Signals]:
    # SIGINT is heeded even where a shell's `&` had it ignored: whoever sends it means it.
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Around the main task: SIGINT, SIGTERM or SIGHUP end the body as if it had returned.

    The first one cancels the task, so every `async with` of the body stops what it started, the
    last one first. The second one leaves at once; the children then die by their death signals.
    SIGHUP stays ignored where it is, as `nohup` wants.
    """
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is None:
        raise RuntimeError("stopped_by_signals() needs a task")
    heeded = _heeded()
    received: list[int] = []

    def on_signal(number: int) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        task.cancel()

    for number in heeded:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    except asyncio.CancelledError:
        if not received or task.uncancel() > 0:
            raise
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)
