"""A call of a tool from its arrival to its result: checked, recorded, run, recorded, counted."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeAlias

from kari.conversation_models.v1.tool_pb2 import ToolProgress
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import KariError
from servers.runtime.labelled import labelled
from servers.runtime.names import short
from servers.tool_integration.checking import Admitted, Asked, Checking
from servers.tool_integration.metrics import CALLS, ERRORS, LATENCY, UNKNOWN
from servers.tool_integration.recording import Recording
from servers.tool_integration.registry import Registry
from servers.tool_integration.results import Result
from servers.tool_integration.running import run
from servers.tool_integration.tool import Offer

CALLED_OFF = "CancelledError"
"""How the trail names the end of a call whose caller went away, here as elsewhere."""


@dataclass(frozen=True)
class AskFirst:
    """The user has to allow the call."""

    offer: Offer


@dataclass(frozen=True)
class Finished:
    """What came of a call: a result or an error. `seconds` from its arrival."""

    result: Result | None
    error: KariError | None
    seconds: float


Step: TypeAlias = ToolProgress | AskFirst | Finished


class Calling:
    """Has tools do something."""

    def __init__(self, registry: Registry, checking: Checking, recording: Recording) -> None:
        self._registry = registry
        self._checking = checking
        self._recording = recording

    async def call(self, asked: Asked) -> AsyncGenerator[Step, None]:
        """Steps of the call; the last is AskFirst or Finished, whatever the tool does."""
        began = time.perf_counter()
        offer = await self._registry.find(asked.invocation.tool_id)
        label = offer.tool.id if offer is not None else UNKNOWN
        asked = _named(asked, offer)
        try:
            admitted = await self._checking.check(offer, asked)
        except KariError as refusal:
            labelled(CALLS, label).inc()
            self._recording.refused(asked, refusal.reason)
            yield _failed(label, refusal, began)
            return
        if admitted.asks:
            # It counts once it is answered: the call comes again then.
            self._recording.refused(asked, Reason.REASON_APPROVAL_REQUIRED)
            yield AskFirst(admitted.offer)
            return
        labelled(CALLS, label).inc()
        async with aclosing(self._run(admitted, asked, began)) as steps:
            async for step in steps:
                yield step

    async def _run(
        self, admitted: Admitted, asked: Asked, began: float
    ) -> AsyncGenerator[Step, None]:
        tool_id = admitted.offer.tool.id
        # Whatever happens from here on: what is on record as admitted has an end there as well.
        ended = CALLED_OFF
        try:
            await self._recording.admitted(asked)
            async with aclosing(run(admitted, asked.invocation)) as steps:
                async for step in steps:
                    if isinstance(step, Result):
                        ended = ""
                        yield Finished(step, None, time.perf_counter() - began)
                    else:
                        yield step
        except KariError as failure:
            ended = Reason.Name(failure.reason)
            yield _failed(tool_id, failure, began)
        finally:
            seconds = time.perf_counter() - began
            labelled(LATENCY, tool_id).observe(seconds)
            self._recording.ended(asked, seconds, ended)


def _named(asked: Asked, offer: Offer | None) -> Asked:
    """A call under the tool's own id, whatever a model made of it."""
    if offer is None or offer.tool.id == asked.invocation.tool_id:
        return asked
    return replace(asked, invocation=replace(asked.invocation, tool_id=offer.tool.id))


def _failed(label: str, error: KariError, began: float) -> Finished:
    labelled(ERRORS, label, short(Reason, error.reason)).inc()
    return Finished(None, error, time.perf_counter() - began)
