"""Servers as the bootstrap takes them."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import grpc

from servers.runtime.bootstrap import Hook, Hosted
from servers.wiring import contract_of

S = TypeVar("S")


def served(
    name: str,
    register: Callable[[S, grpc.aio.Server], None],
    servicer: S,
    *,
    prepare: Hook | None = None,
    loops: tuple[Hook, ...] = (),
    drain: Hook | None = None,
    close: Hook | None = None,
) -> Hosted:
    """A server of this name."""
    return Hosted(
        name,
        contract_of(name),
        partial(register, servicer),
        prepare=prepare,
        loops=loops,
        drain=drain,
        close=close,
    )


async def closed(*closes: Hook) -> None:
    """Closes one after the other."""
    for close in closes:
        await close()
