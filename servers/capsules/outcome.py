"""What came of a run: a result that is one, or an error. Pure."""

import json
from dataclasses import dataclass

from kari.errors.v1.errors_pb2 import Reason
from servers.capsules.failing import failed
from servers.runtime.errors import CalledOff, KariError
from servers.runtime.schemas import Schema

LARGEST_RESULT = 1_000_000


@dataclass(frozen=True)
class Outcome:
    """What came of a run. `own`: the failure is the capsule's."""

    result_json: str = ""
    error: KariError | None = None
    status: str = "done"
    own: bool = False


def called_off() -> Outcome:
    """Nobody waits for the run any more."""
    error = CalledOff(Reason.REASON_UNSPECIFIED, "the run was called off")
    return Outcome(error=error, status="cancelled")


def checked(value: object, schema: Schema | None) -> Outcome:
    """A result, if it is one that fits its schema."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        plain = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return _no_result("its result is not JSON")
    if not isinstance(plain, dict):
        return _no_result(f"its result is no object but {type(value).__name__}")
    if len(text.encode("utf-8", "replace")) > LARGEST_RESULT:
        return _no_result(f"its result is larger than {LARGEST_RESULT} bytes")
    if schema is not None and (wrong := schema.violations(plain)):
        path, message = wrong[0]
        return _no_result(f"its result is not what its manifest says: result{path}: {message}")
    return Outcome(text)


def _no_result(message: str) -> Outcome:
    return Outcome(error=failed(f"the capsule failed: {message}"), status="failed", own=True)
