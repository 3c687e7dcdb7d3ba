"""Imported by a zygote: has its second fork fail, as where no more processes may be."""

import errno
import os

_FORK = os.fork
_FORKS = list[None]()


def _fork() -> int:
    _FORKS.append(None)
    if len(_FORKS) == 2:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return _FORK()


os.fork = _fork
