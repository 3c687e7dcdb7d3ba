"""Errors to status: the only place where exceptions become gRPC statuses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog
from grpc_status import rpc_status

from kari.errors.v1.errors_pb2 import ErrorType, Reason
from servers.runtime.call import current
from servers.runtime.errors import Internal, KariError, from_rpc, to_status
from servers.runtime.interceptors.chain import Around, Incoming
from servers.runtime.interceptors.metrics import ERRORS, module_of

log = structlog.get_logger("kari.errors")


class Status(Around):
    """Tells clients what went wrong, and never an exception's text."""

    @asynccontextmanager
    async def around(self, call: Incoming) -> AsyncIterator[None]:
        """Ends the call with a status that carries the envelope."""
        try:
            yield
        except KariError as error:
            await _abort(call, error)
        except grpc.aio.AioRpcError as error:
            await _abort(call, from_rpc(error))
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception as error:  # the boundary: nothing may leave unanswered
            log.error("unhandled exception", method=call.method, exc_info=error)
            await _abort(call, Internal())


async def _abort(call: Incoming, error: KariError) -> None:
    module = module_of(call.method)
    ERRORS.labels(module, _short(ErrorType.Name(error.type)), Reason.Name(error.reason)).inc()
    log.info(
        "call refused",
        method=call.method,
        reason=Reason.Name(error.reason),
        status=error.status.name,
        message=error.message,
    )
    status = to_status(error.envelope(current().correlation_id), error.status)
    await call.context.abort_with_status(rpc_status.to_status(status))


def _short(name: str) -> str:
    return name.removeprefix("ERROR_TYPE_").lower()
