"""Context integrator over gRPC: translates only."""

import asyncio
from collections import Counter as Counts
from functools import partial

from prometheus_client import Counter

from kari.context_integrator.v1.context_integrator_pb2 import (
    AssembleRequest,
    AssembleResponse,
    ReplayContextRequest,
    ReplayContextResponse,
)
from kari.context_integrator.v1.context_integrator_pb2_grpc import ContextIntegratorServiceServicer
from kari.conversation_models.v1.context_pb2 import ContextBundle, ContextSource, ContextVerdict
from servers.context_integrator.assembly import assemble
from servers.context_integrator.gathering import Gathering
from servers.context_integrator.replaying import Replaying
from servers.runtime.grpc_types import Context
from servers.runtime.labelled import labelled
from servers.runtime.names import short
from servers.runtime.tokens import count, shorten

TOKENS = Counter("kari_chat_context_tokens_total", "Tokens of prompts.")
ITEMS = Counter("kari_chat_context_items_total", "Candidates of contexts.", ("source", "verdict"))

# Counting texts of this length together takes long enough to hold other calls up.
LONG = 20_000


class ContextIntegrator(ContextIntegratorServiceServicer):
    """Ranks, deduplicates and truncates."""

    def __init__(self, gathering: Gathering, replaying: Replaying) -> None:
        self._gathering = gathering
        self._replaying = replaying

    async def Assemble(self, request: AssembleRequest, context: Context) -> AssembleResponse:
        """The prompt of a turn; see the contract."""
        gathered = await self._gathering.gather(request)
        counting = partial(count, tokenizer=request.tokenizer)
        shortening = partial(shorten, tokenizer=request.tokenizer)
        work = partial(assemble, request, gathered.found, counting, shortening)
        long = gathered.long_characters + len(request.current_message.content) > LONG
        bundle = await asyncio.to_thread(work) if long else work()
        _count(bundle)
        return AssembleResponse(bundle=bundle, degradations=gathered.degradations)

    async def ReplayContext(
        self, request: ReplayContextRequest, context: Context
    ) -> ReplayContextResponse:
        """The prompt of a past turn; see the contract."""
        replayed = await self._replaying.replay(
            request.turn_id, frozenset(request.withheld_conversation_ids)
        )
        if replayed is None:
            return ReplayContextResponse()
        return ReplayContextResponse(
            bundle=replayed.bundle,
            identical=replayed.identical,
            missing_ids=replayed.missing_ids,
        )


def _count(bundle: ContextBundle) -> None:
    TOKENS.inc(bundle.manifest.tokens)
    candidates = bundle.manifest.candidates
    for (source, verdict), number in Counts((c.source, c.verdict) for c in candidates).items():
        labelled(ITEMS, short(ContextSource, source), short(ContextVerdict, verdict)).inc(number)
