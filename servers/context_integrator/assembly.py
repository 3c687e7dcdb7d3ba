"""From a conversation, its memories and a message to one prompt. Pure."""

from collections.abc import Sequence

from kari.context_integrator.v1.context_integrator_pb2 import AssembleRequest
from kari.conversation_models.v1.context_pb2 import ContextBundle, ContextSource
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.message_pb2 import Message
from servers.context_integrator.instructions import system_message
from servers.context_integrator.packing import Count, Packing, Shorten, system_candidate
from servers.context_integrator.ranking import Candidate, keywords, score


def assemble(
    request: AssembleRequest,
    recent: Sequence[Message],
    pinned: Sequence[Message],
    count: Count,
    shorten: Shorten,
) -> ContextBundle:
    """The prompt of a turn and its manifest. System message, pins and the current message are
    always in; recent messages go in as the budget allows. Same inputs, same bytes."""
    conversation, current = request.conversation, request.current_message
    wanted = keywords(current.content)
    packing = Packing(request.budget_tokens, count, shorten)
    packing.require(
        [
            system_candidate(system_message(conversation)),
            Candidate(current, ContextSource.CONTEXT_SOURCE_CURRENT, 0.0, max(1, current.sequence)),
            *_pinned_candidates(
                [m for m in pinned if m.sequence < current.sequence and m.content], wanted
            ),
        ]
    )
    packing.offer(_recent_candidates(visible(recent, conversation, current), wanted))
    return packing.bundle()


def visible(
    recent: Sequence[Message], conversation: Conversation, current: Message
) -> list[Message]:
    """Recent messages that may be used: after the last clearing, before the current one, not
    pinned (those are in already)."""
    pinned = set(conversation.pinned_message_ids)
    cleared = conversation.context_cleared_through
    return [
        m
        for m in recent
        if cleared < m.sequence < current.sequence and m.id not in pinned and m.content
    ]


def _pinned_candidates(pinned: Sequence[Message], wanted: frozenset[str]) -> list[Candidate]:
    return [
        Candidate(
            m,
            ContextSource.CONTEXT_SOURCE_PINNED,
            score(m, wanted, 0.0, pinned=True),
            m.sequence,
        )
        for m in pinned
    ]


def _recent_candidates(recent: Sequence[Message], wanted: frozenset[str]) -> list[Candidate]:
    """Recency is 1 for the latest message and falls evenly towards 0."""
    return [
        Candidate(
            m,
            ContextSource.CONTEXT_SOURCE_RECENT,
            score(m, wanted, (index + 1) / len(recent), pinned=False),
            m.sequence,
        )
        for index, m in enumerate(recent)
    ]
