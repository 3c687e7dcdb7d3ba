"""Calls between servers of one process: grpc.aio's channel, calls and contexts without a socket."""

from servers.runtime.in_process.channel import InProcessChannel
from servers.runtime.in_process.port import Port
from servers.runtime.in_process.server import InProcessServer

__all__ = ["InProcessChannel", "InProcessServer", "Port"]
