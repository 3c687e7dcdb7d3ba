"""Milvus Lite over gRPC, made safe for several writers: `python -m embedded.milvus_launcher`.

Its own server loses acknowledged rows when writers overlap and the process is killed, comes back
with its collections released, listens on all addresses and asks nobody who they are. So the
servicer runs here: one writing method at a time, collections loaded before the port opens, a token,
loopback only, and a clean close on SIGTERM.
"""

import argparse
import importlib.util
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc

from embedded.milvus_guards import OneWriter, TokenRequired
from embedded.ports import LOOPBACK

THREADS = 8
DRAIN_SECONDS = 5
CLOSE_SECONDS = 20
OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5000),
    ("grpc.http2.max_ping_strikes", 0),
)


def leave_client_out() -> None:
    """Makes `pymilvus.grpc_gen` importable without the client around it.

    Milvus Lite needs the generated messages only; importing the whole of pymilvus brings in pandas:
    50 MB and 0.8 s more.
    """
    spec = importlib.util.find_spec("pymilvus")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("pymilvus is not installed")
    package = ModuleType("pymilvus")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    sys.modules["pymilvus"] = package


def load_collections(database: Any) -> None:
    """Loads every collection: Milvus Lite opens them released, and a search would fail."""
    for name in database.list_databases():
        for collection in database.list_collections(database_name=name):
            database.get_collection(collection, database_name=name).load()


def quicken_search() -> None:
    """Puts our search into the place of Milvus Lite's."""
    from milvus_lite.engine import collection

    from embedded.milvus_search import Search

    collection.execute_search_with_index = Search(collection.execute_search_with_index)


def build_server(database: Any, token: str, writer: OneWriter) -> grpc.Server:
    """The Milvus service over `database`; no port yet."""
    from milvus_lite.adapter.grpc.servicer import MilvusServicer
    from pymilvus.grpc_gen import milvus_pb2_grpc

    server = grpc.server(
        ThreadPoolExecutor(THREADS), interceptors=[TokenRequired(token), writer], options=OPTIONS
    )
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(database), server)
    return server


def serve(folder: Path, port: int, token: str) -> None:
    """Serves until SIGTERM, then lets calls under way finish and closes the database."""
    from milvus_lite.db import MilvusLite

    quicken_search()
    database = MilvusLite(str(folder))
    load_collections(database)
    writer = OneWriter()
    server = build_server(database, token, writer)
    server.add_insecure_port(f"{LOOPBACK}:{port}")
    server.start()
    signal.sigwait({signal.SIGTERM})
    # Its default action ends the process if closing hangs: it must not stay.
    signal.alarm(CLOSE_SECONDS)
    server.stop(DRAIN_SECONDS).wait()
    with writer.lock:
        database.close()


def main() -> None:
    """Reads the arguments and serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    options = parser.parse_args()
    # Blocked in every thread that is to come, so that it waits for sigwait(). A Python handler
    # would run late or never: Linux may hand the signal to a thread of gRPC or of NumPy.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    leave_client_out()
    serve(options.folder, options.port, options.token_file.read_text())


if __name__ == "__main__":
    main()
