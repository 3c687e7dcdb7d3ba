"""Identifiers: a prefix that names the kind, and a UUIDv7 in hex, so that they sort by time."""

from uuid_utils import uuid7


def new_id(kind: str) -> str:
    """A new identifier such as `turn_0198...`; `kind` is the prefix without the underscore."""
    return f"{kind}_{uuid7().hex}"


def new_correlation_id() -> str:
    """A new correlation id: 32 hex digits."""
    return uuid7().hex
