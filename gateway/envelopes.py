"""Errors over HTTP: the envelope as JSON, under the nearest status."""

import math
from collections.abc import Mapping

import structlog
from google.protobuf import json_format
from starlette.responses import Response

from kari.errors.v1.errors_pb2 import ErrorType, Reason
from servers.runtime.call import current
from servers.runtime.errors import KariError
from servers.runtime.interceptors.metrics import count_error

STATUS: Mapping[ErrorType.ValueType, int] = {
    ErrorType.ERROR_TYPE_AUTHENTICATION: 401,
    ErrorType.ERROR_TYPE_PERMISSION: 403,
    ErrorType.ERROR_TYPE_VALIDATION: 400,
    ErrorType.ERROR_TYPE_RATE_LIMIT: 429,
    ErrorType.ERROR_TYPE_NOT_FOUND: 404,
    ErrorType.ERROR_TYPE_CONFLICT: 409,
    ErrorType.ERROR_TYPE_UNAVAILABLE: 503,
    ErrorType.ERROR_TYPE_TIMEOUT: 504,
    ErrorType.ERROR_TYPE_CANCELLED: 499,
    ErrorType.ERROR_TYPE_INTERNAL: 500,
}

TOO_LARGE = 413

log = structlog.get_logger("kari.gateway.http")


def error_response(error: KariError, status: int | None = None) -> Response:
    """The error as a response, counted; `status` where the type alone does not say enough."""
    correlation_id = current().correlation_id
    reason = Reason.Name(error.reason)
    count_error("gateway", error.type, error.reason)
    log.info("request refused", reason=reason, message=error.message)
    headers = {"cache-control": "no-store"}
    if error.retry_after is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after))
    if error.type == ErrorType.ERROR_TYPE_AUTHENTICATION:
        headers["www-authenticate"] = "Bearer"
    body = json_format.MessageToJson(error.envelope(correlation_id), indent=None)
    if error.reason == Reason.REASON_TOO_LARGE:
        status = TOO_LARGE
    return Response(body, status or STATUS[error.type], headers, "application/json")
