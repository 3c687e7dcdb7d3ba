"""Correlation id: created or taken over at the edge, passed on with every call."""

import re

from servers.runtime.call import Call, current, enter
from servers.runtime.ids import new_correlation_id
from servers.runtime.interceptors.chain import Around, Enter, Incoming
from servers.runtime.interceptors.sending import Begin, Outgoing

HEADER = "x-correlation-id"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Correlation(Around):
    """Opens the call's context. An id that is no id, and so could forge log lines, is replaced."""

    def of(self, method: str) -> Enter:
        """Makes each call the current one and tells its id to the client."""
        return _open


def _open(call: Incoming) -> None:
    correlation_id = accepted_id(call.header(HEADER))
    enter(Call(correlation_id, call.method))
    call.context.set_trailing_metadata(((HEADER, correlation_id),))


def accepted_id(given: str) -> str:
    """The id that was given, or a new one where it is none."""
    return given if _ACCEPTED.fullmatch(given) else new_correlation_id()


def send_correlation(_method: str) -> Begin:
    """Passes the current correlation id on."""
    return _send


def _send(call: Outgoing) -> None:
    call.headers.append((HEADER, current().correlation_id))
