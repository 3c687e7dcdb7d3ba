"""What `/search` answers, in Markdown. Pure."""

from collections.abc import Iterator, Mapping

from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.search_pb2 import SearchResult
from kari.conversation_search.v1.conversation_search_pb2 import SearchResponse
from servers.instruction_processor.replies import code, escaped
from servers.runtime.names import short

SNIPPET = 200
"""Characters of a message that are shown, around the first word that was found."""


def found(response: SearchResponse, titles: Mapping[str, str]) -> str:
    """Messages and summaries, a line each, the best first. `titles` are those of conversations by
    id; where one is empty the id stands for it, and what is in none of them is in this one."""
    lines = [_entry(result, titles) for result in response.results]
    lines += [
        f"- summary{_where(each.summary.conversation_id, titles)}: {escaped(each.summary.summary)}"
        for each in response.summaries
    ]
    if not lines:
        lines = ["Nothing was found."]
    elif response.next_page_token:
        lines += ["", "There is more; say more words to find less."]
    if response.degradations:
        lines += ["", "Found by words alone: meaning could not be looked at."]
    return "\n".join(lines)


def _entry(result: SearchResult, titles: Mapping[str, str]) -> str:
    when = result.timestamp.ToDatetime().strftime("%Y-%m-%d %H:%M")
    who = escaped(result.author) or short(MessageRole, result.role)
    return f"- {when}, {who}{_where(result.conversation_id, titles)}: {_part(result)}"


def _where(conversation_id: str, titles: Mapping[str, str]) -> str:
    if conversation_id not in titles:
        return ""
    title = escaped(titles[conversation_id]).strip()
    return f" in *{title}*" if title else f" in {code(conversation_id)}"


def _part(result: SearchResult) -> str:
    """The text around the first word that was found, all of these words in bold."""
    first = result.highlights[0].start if result.highlights else 0
    begin = max(0, first - SNIPPET // 2)
    end = min(begin + SNIPPET, len(result.content))
    before = "\u2026" if begin else ""
    after = "\u2026" if end < len(result.content) else ""
    return before + "".join(_pieces(result, begin, end)) + after


def _pieces(result: SearchResult, begin: int, end: int) -> Iterator[str]:
    at = begin
    for highlight in result.highlights:
        if highlight.end > end:
            break
        yield escaped(result.content[at : highlight.start])
        yield f"**{escaped(result.content[highlight.start : highlight.end])}**"
        at = highlight.end
    yield escaped(result.content[at:end])
