"""What the scripted hub finds: messages in which the query stands as it is. Pure."""

from collections.abc import Iterator, Sequence

from kari.chat_hub.v1.chat_hub_pb2 import SearchRequest, SearchResponse
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.search_pb2 import Highlight, SearchResult


def page_of(request: SearchRequest, messages: Sequence[Message]) -> SearchResponse:
    """A page of the messages that fit, the latest first."""
    one = request.filter.conversation_id
    fitting = [
        result(message, request.query)
        for message in reversed(messages)
        if request.query.strip()
        and request.query.lower() in message.content.lower()
        and one in ("", message.conversation_id)
    ]
    begin, size = int(request.page_token or 0), request.page_size or 20
    end = begin + size
    token = str(end) if end < len(fitting) else ""
    return SearchResponse(results=fitting[begin:end], next_page_token=token)


def result(message: Message, query: str) -> SearchResult:
    """A message as it was found; every place of the query is highlighted."""
    return SearchResult(
        message_id=message.id,
        conversation_id=message.conversation_id,
        content=message.content,
        timestamp=message.timestamp,
        role=message.role,
        author=message.author,
        user_id=message.user_id,
        sequence=message.sequence,
        highlights=_places(message.content.lower(), query.lower()),
    )


def _places(text: str, query: str) -> Iterator[Highlight]:
    start = text.find(query)
    while start >= 0:
        yield Highlight(start=start, end=start + len(query))
        start = text.find(query, start + len(query))
