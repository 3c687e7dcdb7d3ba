"""What a call costs with grpc.aio alone: an echo in a process of its own, called one by one.

`python -m tests.load.bare` serves it and prints `ready PORT`.
"""

import time
from typing import Any

import grpc
import uvloop

from tests.load.measured import Spread, spread
from tests.load.system import program

METHOD = "/bare.v1.Echo/Echo"
BYTES = 1024
WARM_CALLS, CALLS = 200, 2000


async def bare_call() -> Spread:
    """Milliseconds of a unary call with 1 KiB each way, over loopback."""
    async with program("tests.load.bare") as process:
        assert process.stdout is not None
        port = (await process.stdout.readline()).decode().split()[1]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call: Any = channel.unary_unary(METHOD)
            times = [await _timed(call) for _ in range(WARM_CALLS + CALLS)]
    return spread(times[WARM_CALLS:])


async def _timed(call: Any) -> float:
    began = time.perf_counter()
    await call(b"x" * BYTES)
    return time.perf_counter() - began


async def _echo(request: bytes, _context: object) -> bytes:
    return request


async def _serve() -> None:
    server = grpc.aio.server()
    _, service, method = METHOD.split("/")
    handlers: Any = {method: grpc.unary_unary_rpc_method_handler(_echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"ready {port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(_serve())
