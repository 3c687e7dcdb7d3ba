"""Pages: sizes with a default and a cap, tokens that carry the place after the last row. Pure."""

import base64
import json

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest

DEFAULT = 50
LARGEST = 200
LARGEST_INTEGER = 2**63 - 1


def size_of(requested: int) -> int:
    """Rows of a page: 50 unless asked for, never more than 200."""
    return min(requested or DEFAULT, LARGEST)


def token_of(*place: str | int) -> str:
    """An opaque token of the place after the last row of a page."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_of(token: str, *kinds: type[str] | type[int]) -> list[str | int] | None:
    """The place that a token names; None for the first page; InvalidRequest if it is none. `kinds`
    are the types of its parts, for who wants a token of another list refused as well."""
    if not token:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, RecursionError):
        place = None
    if not _is_place(place, kinds):
        raise InvalidRequest(
            Reason.REASON_FIELD_INVALID,
            "`page_token` is not one that this server gave",
            violations=[("page_token", "is not one that this server gave")],
        )
    return place  # type: ignore[no-any-return]  # checked just above


def _is_place(place: object, kinds: tuple[type[str] | type[int], ...]) -> bool:
    if not isinstance(place, list):
        return False
    if any(isinstance(part, int) and abs(part) > LARGEST_INTEGER for part in place):
        return False
    found = tuple(type(part) for part in place)
    return found == kinds if kinds else set(found) <= {str, int}
