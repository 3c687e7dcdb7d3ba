"""Messages by their words: what a hub finds, without a search behind it. Pure."""

import re
from collections.abc import Iterable

from kari.chat_hub.v1.chat_hub_pb2 import SearchRequest, SearchResponse
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.search_pb2 import Highlight, SearchResult


def found(messages: Iterable[Message], request: SearchRequest) -> SearchResponse:
    """A page of the messages that have all words of a query, in their order."""
    words = request.query.lower().split()
    where = request.filter.conversation_id
    results = [
        _result(message, words)
        for message in messages
        if where in ("", message.conversation_id)
        and all(word in message.content.lower() for word in words)
    ]
    begin = int(request.page_token or 0)
    end = begin + (request.page_size or 20)
    return SearchResponse(
        results=results[begin:end], next_page_token=str(end) if end < len(results) else ""
    )


def _result(message: Message, words: Iterable[str]) -> SearchResult:
    anyone = "|".join(re.escape(word) for word in words)
    spots = re.finditer(anyone, message.content, re.IGNORECASE)
    return SearchResult(
        message_id=message.id,
        conversation_id=message.conversation_id,
        content=message.content,
        timestamp=message.timestamp,
        role=message.role,
        author=message.author,
        user_id=message.user_id,
        sequence=message.sequence,
        highlights=[Highlight(start=spot.start(), end=spot.end()) for spot in spots],
    )
