"""Names for types of grpc.aio that its stubs leave open."""

from typing import Any, TypeAlias

Context: TypeAlias = Any
"""Context of a call. Servicers use it for the peer's address alone: the interceptors have done what
else needs it."""
