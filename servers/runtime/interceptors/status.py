"""Errors to status: the only place where exceptions become gRPC statuses."""

import grpc
import structlog
from grpc_status import rpc_status

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import current
from servers.runtime.errors import Internal, KariError, envelope_of, from_rpc, to_status
from servers.runtime.interceptors.chain import Answered, Around, Enter, Incoming, Leave
from servers.runtime.interceptors.metrics import count_error, module_of

log = structlog.get_logger("kari.errors")


# We answered, so we are alive, and asking again at once brings the same answer. gRPC's own retries,
# which every hop would multiply, are for peers that do not answer.
NO_RETRY = ("grpc-retry-pushback-ms", "-1")


class Status(Around):
    """Tells clients what went wrong, and never an exception's text."""

    def of(self, method: str) -> Enter:
        """What a handler raises becomes a status that carries the envelope."""
        module = module_of(method)

        def enter(call: Incoming) -> Leave:
            def leave(error: BaseException | None) -> BaseException | None:
                # Not CancelledError and its like: whom should one tell?
                if not isinstance(error, Exception) or isinstance(error, grpc.aio.AbortError):
                    return error
                return _answer(call, module, _as_ours(call, error))

            return leave

        return enter


def _as_ours(call: Incoming, error: Exception) -> KariError:
    """The error to tell of. Of several at once the first is the cause of the others."""
    cause: BaseException = error
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    if isinstance(cause, KariError):
        return cause
    if isinstance(cause, grpc.aio.AioRpcError):
        return _of_peer(call, cause)
    log.error("unhandled exception", method=call.method, exc_info=error)
    return Internal()


def _of_peer(call: Incoming, error: grpc.aio.AioRpcError) -> KariError:
    if envelope_of(error) is None:
        # No server of ours said this; what gRPC knows of it, such as the address, is for the log.
        log.warning("peer failed", method=call.method, error=error.debug_error_string())
    return from_rpc(error)


def _answer(call: Incoming, module: str, error: KariError) -> Answered:
    count_error(module, error.type, error.reason)
    log.info(
        "call refused",
        method=call.method,
        reason=Reason.Name(error.reason),
        status=error.status.name,
        message=error.message,
        cause=type(error.__cause__).__name__ if error.__cause__ else "",
    )
    status = to_status(error.envelope(current().correlation_id), error.status)
    details = rpc_status.to_status(status).trailing_metadata
    headers = (*call.context.trailing_metadata(), NO_RETRY, *details)
    return Answered(error.status, error.message, headers)
