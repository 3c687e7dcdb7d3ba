"""Requests in the log, for those who debug: only at that level, and never what is secret."""

import logging

import structlog

from servers.runtime.interceptors.chain import Around, Enter, Incoming
from servers.runtime.redaction import redacted

log = structlog.get_logger("kari.calls")
_calls = logging.getLogger("kari.calls")


class Recording(Around):
    """Logs each request that got in, its `debug_redact` fields hidden."""

    def of(self, method: str) -> Enter:
        """Costs one comparison unless the level is debug."""
        return _record


def _record(call: Incoming) -> None:
    if call.request is not None and _calls.isEnabledFor(logging.DEBUG):
        log.debug("call", method=call.method, request=redacted(call.request))
