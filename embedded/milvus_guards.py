"""What stands before every method of the embedded Milvus: a token, and one lock for writers."""

import base64
import hmac
import threading
from collections.abc import Callable
from typing import Any

import grpc
from grpc_interceptor import ServerInterceptor

READING = frozenset(
    {
        *("Connect", "GetVersion", "CheckHealth", "ListDatabases", "DescribeDatabase"),
        *("HasCollection", "DescribeCollection", "ShowCollections", "GetCollectionStatistics"),
        *("HasPartition", "ShowPartitions", "GetPartitionStatistics"),
        *("Query", "Search", "HybridSearch", "DescribeIndex", "DescribeAlias", "ListAliases"),
        *("GetLoadingProgress", "GetLoadState", "GetFlushState", "GetCompactionState"),
    }
)
"""Methods that may run beside others. A method that is not named here counts as a writer."""


class OneWriter(ServerInterceptor):
    """Lets one method at a time through, except those known to read. Also held while closing."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def intercept(
        self, method: Callable[..., Any], request: Any, context: Any, method_name: str
    ) -> Any:
        """Runs the method, alone unless it only reads."""
        if method_name.rpartition("/")[2] in READING:
            return method(request, context)
        with self.lock:
            return method(request, context)


class TokenRequired(ServerInterceptor):
    """Refuses calls without the token that pymilvus sends as `token=...`."""

    def __init__(self, token: str) -> None:
        self._expected = base64.b64encode(token.encode())

    def intercept(
        self, method: Callable[..., Any], request: Any, context: Any, method_name: str
    ) -> Any:
        """Runs the method, or ends the call with UNAUTHENTICATED."""
        sent = dict(context.invocation_metadata()).get("authorization", b"")
        given = sent.encode() if isinstance(sent, str) else sent
        if not hmac.compare_digest(given, self._expected):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "wrong or missing token")
        return method(request, context)
