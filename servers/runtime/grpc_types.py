"""Names for types of grpc.aio that its stubs leave open."""

from typing import Any, TypeAlias

Context: TypeAlias = Any
"""Context of a call. Servicers do not use it: the interceptors have done what needs it."""
