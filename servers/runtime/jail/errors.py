"""What keeps a jail from being made, and how a caller is told."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Unavailable

log = structlog.get_logger("kari.jail")


class NoJail(Exception):
    """There can be no jail here. The message says why, and the way out."""


@contextmanager
def told_as_unavailable() -> Iterator[None]:
    """Unavailable, which may be tried again, in the place of NoJail and of OSError: there is no
    jail, no room on the disk, or no process to be had. The log has which."""
    try:
        yield
    except (NoJail, OSError) as error:
        log.error("no worker could be started", cause=str(error))
        raise Unavailable(
            Reason.REASON_SERVER_UNAVAILABLE, "no worker could be started; try again"
        ) from error
