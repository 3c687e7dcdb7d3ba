"""Functions that read hostile bytes, each call in a process of its own with limits.

`Room.run` names a function of a module; a zygote, a bare process that has imported what such
functions need, forks a job for each call. A job has a clean environment, no secrets, no network, no
more memory, time and output than it is given, and dies with whoever asked for it. It asks for the
bytes of its file as it needs them: nothing is gathered, however large the file.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from servers.runtime.limited.failures import JobFailed, Why
    from servers.runtime.limited.limits import Limits
    from servers.runtime.limited.room import Room
    from servers.runtime.limited.source import BytesSource, Source

__all__ = ["BytesSource", "JobFailed", "Limits", "Room", "Source", "Why"]

_MODULES = {
    "BytesSource": "source",
    "JobFailed": "failures",
    "Limits": "limits",
    "Room": "room",
    "Source": "source",
    "Why": "failures",
}


def __getattr__(name: str) -> object:
    """Imports a module when one of its names is asked for: zygotes and their jobs, which import
    this package too, are to be spared the libraries of the room."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
