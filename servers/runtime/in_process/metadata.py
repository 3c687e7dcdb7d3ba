"""What may stand in metadata, by the rules of gRPC over HTTP/2."""

import re
from collections.abc import Iterable
from functools import lru_cache

import grpc

Pairs = tuple[tuple[str, str | bytes], ...]

_KEY = re.compile(r"[0-9a-z._-]+")
_OF_HTTP = ("te", "content-type", "user-agent")
_OF_GRPC = ("grpc-timeout", "grpc-status", "grpc-message", "grpc-encoding")
_OWN = frozenset((*_OF_HTTP, *_OF_GRPC))
"""Keys that the transport writes itself."""


class IllegalMetadata(grpc.aio.InternalError):
    """A key or a value that gRPC does not let through."""


def sent(metadata: Iterable[tuple[str, str | bytes]] | None) -> Pairs:
    """Metadata as the other side sees it: values of a key side by side, without what belongs to
    the transport. Raises IllegalMetadata, TypeError for values of the wrong type."""
    if not metadata:
        return ()
    pairs = [(key, _checked(key, value)) for key, value in metadata if _passes(key)]
    keys = dict.fromkeys([key for key, _ in pairs])
    if len(keys) < len(pairs):
        pairs = [pair for key in keys for pair in pairs if pair[0] == key]
    return tuple(pairs)


@lru_cache(maxsize=1024)
def _passes(key: str) -> bool:
    if not _KEY.fullmatch(key):
        raise IllegalMetadata(f"illegal metadata key {key!r}")
    return key not in _OWN


def _checked(key: str, value: object) -> str | bytes:
    if key.endswith("-bin"):
        if not isinstance(value, bytes):
            raise TypeError(f"binary metadata key {key!r} expects bytes, not {type(value)}")
        return value
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        raise TypeError(f"metadata key {key!r} expects str, not {type(value)}")
    if not (value.isascii() and value.isprintable()):
        raise IllegalMetadata(f"illegal value of metadata key {key!r}")
    return value
