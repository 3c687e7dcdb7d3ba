"""From a conversation, its memories and a message to one prompt. Pure."""

from kari.context_integrator.v1.context_integrator_pb2 import AssembleRequest
from kari.conversation_models.v1.context_pb2 import ContextBundle
from servers.context_integrator.candidates import Findings, offers, pins
from servers.context_integrator.instructions import system_message
from servers.context_integrator.packing import Count, Packing, Shorten
from servers.context_integrator.part import CURRENT, SYSTEM, Part
from servers.context_integrator.ranking import Candidate


def assemble(
    request: AssembleRequest, found: Findings, count: Count, shorten: Shorten
) -> ContextBundle:
    """The prompt of a turn and its manifest. System message, pins and the current message are
    always in; the rest goes in as the budget allows. Same inputs, same bytes."""
    conversation, current = request.conversation, request.current_message
    packing = Packing(request.budget_tokens, count, shorten)
    packing.require(
        [
            Candidate(Part(SYSTEM, "", system_message(conversation)), 0.0),
            Candidate(
                Part(
                    CURRENT,
                    current.id,
                    current.content,
                    role=current.role,
                    sequence=max(1, current.sequence),
                ),
                0.0,
            ),
        ],
        pins(found, conversation, current),
    )
    packing.offer(offers(found, conversation, current))
    bundle = packing.bundle()
    bundle.manifest.tokenizer = request.tokenizer
    return bundle
