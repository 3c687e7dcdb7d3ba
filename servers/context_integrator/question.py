"""What is looked for on behalf of a message, and where. Pure."""

import re

from kari.context_integrator.v1.context_integrator_pb2 import AssembleRequest
from kari.conversation_models.v1.context_pb2 import MemorySource
from kari.conversation_models.v1.search_pb2 import SearchFilter

QUERY_CHARACTERS = 2000
"""As long as a query may be; the embedder reads half of it."""

LATEST_MESSAGES = 20
"""As many of the conversation's last messages are not searched for."""

FEWEST_BYTES = 4
"""A message whose words have fewer bytes of UTF-8 together asks for nothing: "ok" and "yes" do not,
"who am I" and two Chinese characters do."""

_WORD = re.compile(r"\w+")
_DASHES = re.compile(r"(?<!\S)-+")


def query_of(content: str) -> str:
    """A message as a query: without what searches take for operators, on one line. Empty if it has
    too few words to look for."""
    beginning = content[:QUERY_CHARACTERS]
    if len("".join(_WORD.findall(beginning)).encode()) < FEWEST_BYTES:
        return ""
    # Quotes go first: a dash behind one would begin a word only then.
    return " ".join(_DASHES.sub(" ", beginning.replace('"', " ")).split())


def is_shared(request: AssembleRequest) -> bool:
    """Whether others than the sender read the answer. What only the sender may read stays out of it
    then: other conversations, and what is remembered of them."""
    return len(request.conversation.participant_ids) > 1


def sources_of(request: AssembleRequest, query: str) -> list[MemorySource.ValueType]:
    """The memories that are asked."""
    sources = [MemorySource.MEMORY_SOURCE_SHORT_TERM]
    if query:
        sources += [MemorySource.MEMORY_SOURCE_LONG_TERM, MemorySource.MEMORY_SOURCE_DOMAIN]
        if not is_shared(request):
            sources.append(MemorySource.MEMORY_SOURCE_VAULT)
    return sources


def filter_of(request: AssembleRequest) -> SearchFilter:
    """Where is searched, in what was said before: in all conversations of the sender, or in a
    shared one only. The last messages are in the prompt anyway."""
    only = request.conversation.id if is_shared(request) else ""
    current = request.current_message
    until = current.timestamp if current.HasField("timestamp") else None
    return SearchFilter(
        conversation_id=only,
        until=until,
        known_conversation_id=request.conversation.id,
        known_from_sequence=max(1, current.sequence - LATEST_MESSAGES),
    )
