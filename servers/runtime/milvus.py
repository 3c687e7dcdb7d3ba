"""Milvus as servers use it, the embedded one or any other by URL.

pymilvus takes 100 MB and half a second to import, so that waits for the first call, and its calls
block, so they have threads. (Its asynchronous client asks for a timestamp service that Milvus Lite
does not have.)
"""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import urlsplit

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Unavailable
from servers.runtime.settings import Settings

COLLECTION = "messages"
FILES_COLLECTION = "file_chunks"
DIMENSIONS = 384
CALL_SECONDS = 5.0
LEAST_EF = 64
"""Candidates of an HNSW search: twice as many as are asked for, as its authors advise, and so many
at least."""
HTTP2_SETTINGS = 4
NO_COLLECTION = 100
"""Milvus' code for a collection that is not there."""

T = TypeVar("T")


def nothing(_client: Any) -> None:
    """For who takes Milvus as it is."""


def quoted(value: str | Sequence[str]) -> str:
    """A text, or a list of them, as Milvus' filters have it. Milvus Lite knows no `\\u` escapes."""
    return json.dumps(value if isinstance(value, str) else list(value), ensure_ascii=False)


@asynccontextmanager
async def open_milvus(
    settings: Settings, *, threads: int = 1, prepare: Callable[[Any], None] = nothing
) -> AsyncIterator["Milvus"]:
    """The Milvus of the settings; connects when first called. `prepare` is done with each new
    connection: Milvus may have come back empty."""
    if settings.milvus_url is None:
        raise LookupError("KARI_MILVUS_URL is not set; `kari up` sets it for embedded stores")
    token = settings.milvus_token
    milvus = Milvus(
        settings.milvus_url.get_secret_value(),
        token.get_secret_value() if token else "",
        threads,
        prepare,
    )
    try:
        yield milvus
    finally:
        await milvus.close()


class Milvus:
    """A connection that is made anew after whatever failure."""

    def __init__(
        self, url: str, token: str, threads: int = 1, prepare: Callable[[Any], None] = nothing
    ) -> None:
        self._url = url
        self._token = token
        self._prepare = prepare
        self._threads = ThreadPoolExecutor(threads, "milvus")
        self._connecting = Lock()
        # Not the same: whoever has an answer does not wait for who connects.
        self._counting = Lock()
        self._client: _Shared | None = None

    async def call(self, work: Callable[[Any], T]) -> T:
        """What `work` gives, which is called with a client on a thread. Unavailable if it fails."""
        loop = asyncio.get_running_loop()
        answer, failure = await loop.run_in_executor(self._threads, self._tried, work)
        if failure is not None:
            raise Unavailable(
                Reason.REASON_STORE_UNAVAILABLE, "Milvus does not answer", store="milvus"
            ) from failure
        return answer  # type: ignore[return-value]  # there is one if there is no failure

    async def nearest(
        self, collection: str, vector: Sequence[float], only: str, most: int
    ) -> dict[str, float]:
        """Ids of the nearest vectors for which the expression `only` holds, the nearest first, with
        their cosines. None are near while there is no collection."""
        return await self.call(partial(_nearest, collection, vector, only, most))

    async def ping(self) -> None:
        """Waits for the frame with which every gRPC server greets; TLS has to be up, else."""
        parts = urlsplit(self._url)
        secure = ssl.create_default_context() if parts.scheme == "https" else None
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port or 19530, ssl=secure
        )
        try:
            if secure is None and (await reader.readexactly(9))[3] != HTTP2_SETTINGS:
                raise ConnectionError("this is no Milvus")
        finally:
            writer.close()

    async def close(self) -> None:
        """Closes the connection, once the calls under way have ended; nobody waits for that."""
        self._threads.submit(self._disconnect)
        self._threads.shutdown(wait=False)

    def _tried(self, work: Callable[[Any], T]) -> tuple[T | None, Exception | None]:
        """Gives the failure back: pymilvus lets errors of many kinds through."""
        try:
            shared = self._connected()
        except Exception as error:  # noqa: BLE001  # see above
            return None, error
        try:
            return work(shared.client), None
        except Exception as error:  # noqa: BLE001  # see above
            self._drop(shared)
            return None, error
        finally:
            self._give_back(shared)

    def _connected(self) -> "_Shared":
        """The client, for one more call."""
        with self._connecting:
            if (shared := self._taken()) is None:
                shared = _Shared(self._new_client(), calls=1)
                with self._counting:
                    self._client = shared
            return shared

    def _new_client(self) -> Any:
        from pymilvus import MilvusClient

        # It logs every failure with a traceback, and raises it as well.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        client = MilvusClient(uri=self._url, token=self._token, timeout=CALL_SECONDS)
        try:
            self._prepare(client)
        except BaseException:
            client.close()
            raise
        return client

    def _taken(self) -> "_Shared | None":
        with self._counting:
            if self._client is not None:
                self._client.calls += 1
            return self._client

    def _drop(self, failed: "_Shared") -> None:
        """The next call connects anew, unless another one has done so since."""
        with self._counting:
            if self._client is failed:
                self._client = None

    def _give_back(self, shared: "_Shared") -> None:
        """Closes a client that was dropped, after its last call: others were using it as well."""
        with self._counting:
            shared.calls -= 1
            if not shared.calls and self._client is not shared:
                shared.client.close()

    def _disconnect(self) -> None:
        with self._counting:
            shared, self._client = self._client, None
            if shared is not None and not shared.calls:
                shared.client.close()


@dataclass
class _Shared:
    """A client and how many calls are using it."""

    client: Any
    calls: int = 0


def _nearest(
    collection: str, vector: Sequence[float], only: str, most: int, client: Any
) -> dict[str, float]:
    from pymilvus import MilvusException

    try:
        (hits,) = client.search(
            collection,
            data=[list(vector)],
            filter=only,
            limit=most,
            search_params={"params": {"ef": max(LEAST_EF, 2 * most)}},
            # Nothing beside: the embedded one would send the vectors along.
            output_fields=["id"],
            timeout=CALL_SECONDS,
        )
    except MilvusException as error:
        if error.code == NO_COLLECTION:
            return {}
        raise
    return {str(hit["id"]): float(hit["distance"]) for hit in hits}
