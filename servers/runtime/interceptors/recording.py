"""Requests in the log, for those who debug: only at that level, and never what is secret."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from servers.runtime.interceptors.chain import Around, Incoming
from servers.runtime.redaction import redacted

log = structlog.get_logger("kari.calls")


class Recording(Around):
    """Logs each request that got in, its `debug_redact` fields hidden."""

    @asynccontextmanager
    async def around(self, call: Incoming) -> AsyncIterator[None]:
        """Costs one comparison unless the level is debug."""
        if call.request is not None and logging.getLogger("kari.calls").isEnabledFor(logging.DEBUG):
            log.debug("call", method=call.method, request=redacted(call.request))
        yield
